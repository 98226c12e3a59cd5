// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/file.h"
#include "formats/safetensors.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

Bytes AsBytes(std::span<const uint16_t> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

}  // namespace

QkWriter::QkWriter(const fs::path& folder, QkDescription description)
    : folder_(folder / kQkFolderName), description_(std::move(description)) {
  CreateDirectory(folder_);
}

void QkWriter::WriteLayer(BlockKind kind, int64_t index, std::span<const uint16_t> q,
                          std::span<const uint16_t> k) {
  const auto blocks =
      std::find_if(description_.blocks.begin(), description_.blocks.end(),
                   [kind](const QkBlocks& candidate) { return candidate.kind == kind; });
  if (blocks == description_.blocks.end()) {
    throw Error(fmt::format("the store has no {} blocks", BlockKindName(kind)), folder_.string());
  }
  const Shape shape = description_.shape(*blocks);
  const std::string file = QkFileName(kind, index);
  SafetensorsWriter writer(folder_ / file, {{"q", DType::kF16, shape}, {"k", DType::kF16, shape}},
                           {}, {.sync = Sync::kLater});
  writer.Append(AsBytes(q));
  writer.Append(AsBytes(k));
  writer.Commit();
  bytes_ += writer.size();
  blocks->layers.push_back({index, LayerName(index), file});
}

uint64_t QkWriter::Finish() {
  for (QkBlocks& blocks : description_.blocks) {
    if (blocks.layers.empty()) {
      throw Error(fmt::format("no {} blocks were written", BlockKindName(blocks.kind)),
                  folder_.string());
    }
    std::sort(blocks.layers.begin(), blocks.layers.end(),
              [](const QkLayer& a, const QkLayer& b) { return a.index < b.index; });
  }
  const std::string text = QkDescriptionText(description_);
  WriteFileAtomic(folder_ / kQkDescriptionName, text, {.sync = Sync::kLater});
  return bytes_ + text.size();
}

}  // namespace vggt
