// SPDX-License-Identifier: Apache-2.0
#include "report/input_hash.h"

#include <fmt/format.h>
#include <glib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "core/file.h"

namespace vggt {
namespace {

constexpr uint64_t kPiece = 64 << 10;
constexpr uint64_t kMostDescription = 64 << 20;

struct FreeChecksum {
  void operator()(GChecksum* sum) const { g_checksum_free(sum); }
};

class Sha256Sum {
 public:
  void Add(std::string_view bytes) {
    g_checksum_update(sum_.get(), reinterpret_cast<const guchar*>(bytes.data()),
                      static_cast<gssize>(bytes.size()));
  }
  std::string Finish() { return g_checksum_get_string(sum_.get()); }

 private:
  std::unique_ptr<GChecksum, FreeChecksum> sum_{g_checksum_new(G_CHECKSUM_SHA256)};
};

}  // namespace

const char* const kInputHashText =
    "SHA-256 of qk/attention.json and, for each file of queries and keys, of its name, its size "
    "and "
    "three pieces of 64 KiB: its beginning, its middle and its end.";

std::string Sha256(std::string_view bytes) {
  Sha256Sum sum;
  sum.Add(bytes);
  return sum.Finish();
}

InputHash HashInput(const std::filesystem::path& description, const QkStore& store) {
  const std::string text = ReadFile(description, kMostDescription);
  InputHash hash{"", text.size()};
  Sha256Sum sum;
  sum.Add(text);
  for (const QkBlocks& blocks : store.description().blocks) {
    for (size_t i = 0; i < blocks.layers.size(); ++i) {
      const File file(store.LayerPath(blocks, i));
      sum.Add(fmt::format("\n{} {}\n", blocks.layers[i].file, file.size()));
      hash.bytes += file.size();
      const uint64_t piece = std::min(kPiece, file.size());
      std::string bytes(piece, '\0');
      for (const uint64_t at : {uint64_t{0}, (file.size() - piece) / 2, file.size() - piece}) {
        file.Read(at, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
        sum.Add(bytes);
      }
    }
  }
  hash.value = sum.Finish();
  return hash;
}

}  // namespace vggt
