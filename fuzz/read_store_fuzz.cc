// SPDX-License-Identifier: Apache-2.0
// Whatever the files of a store: an answer and extras of their announced sizes, or an Error. The
// first two bytes are the length of attention.json, which follows; the rest is what all layers'
// files hold.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "attention/attention_rows.h"
#include "core/error.h"

namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostValues = 1 << 14;  // of a tensor

struct Folder {
  Folder() {
    std::string name = "/dev/shm/vggt-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  void Empty() const {
    for (const fs::directory_entry& file : fs::directory_iterator(path)) fs::remove_all(file);
  }
  void Write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
  fs::path path;
};

// A bit of the input for each choice.
vggt::AttentionRequest QueryOf(const vggt::QkDescription& d, const vggt::QkBlocks& blocks,
                               size_t bits) {
  vggt::AttentionRequest query;
  query.kind = blocks.kind;
  query.layers = {bits % blocks.layers.size()};
  query.heads = {1};
  if (blocks.heads > 1) query.heads.push_back(static_cast<int>(blocks.heads));
  query.reduction = static_cast<vggt::HeadReduction>(bits / 2 % 3);
  query.definition = vggt::Definitions()[bits / 8 % vggt::Definitions().size()].definition;
  query.frame = static_cast<int64_t>(bits) % d.frames;
  query.tokens = {static_cast<int64_t>(bits / 4) % d.tokens_per_frame(blocks)};
  query.incoming = bits / 64 % 2 == 1;
  query.before_rope = bits / 128 % 2 == 1;
  query.frames = {static_cast<int>(d.frames - 1)};
  return query;
}

void Read(const Folder& folder, size_t bits) {
  vggt::AttentionRows rows(folder.path / vggt::kQkDescriptionName, folder.path);
  const vggt::QkDescription& d = rows.store().description();
  for (const vggt::QkBlocks& blocks : d.blocks) {
    if (vggt::NumElements(d.shape(blocks)) > kMostValues) continue;
    try {
      const vggt::AttentionRequest query = QueryOf(d, blocks, bits);
      const vggt::AttentionAnswer answer = rows.Answer(query);
      if (answer.values.size() != static_cast<size_t>(vggt::NumElements(answer.shape)))
        std::abort();
    } catch (const vggt::Error&) {
    }
    try {
      const vggt::QkExtraValues extras = rows.store().Extras(blocks, bits % blocks.layers.size());
      for (const vggt::QkExtra extra : blocks.layers[bits % blocks.layers.size()].extras) {
        const vggt::Shape shape = d.shape(blocks, extra);
        if (extras.of(extra).size() != static_cast<size_t>(vggt::NumElements(shape))) std::abort();
      }
    } catch (const vggt::Error&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  if (size < 2) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t length = std::min<size_t>(data[0] + 256 * data[1], all.size());
  const std::string_view description = all.substr(0, length), layer = all.substr(length);
  size_t bits = size;
  for (const char c : layer.substr(0, 512)) bits = 31 * bits + static_cast<unsigned char>(c);
  folder.Empty();
  folder.Write(vggt::kQkDescriptionName, description);
  try {
    const vggt::QkDescription d =
        vggt::ReadQkDescription(folder.path / vggt::kQkDescriptionName, folder.path);
    for (const vggt::QkBlocks& blocks : d.blocks) {
      const std::string& file = blocks.layers[bits % blocks.layers.size()].file;
      if (file != vggt::kQkDescriptionName) folder.Write(file, layer);
    }
    Read(folder, bits);
  } catch (const vggt::Error&) {
  }
  return 0;
}
