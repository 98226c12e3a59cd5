// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/file.h"
#include "formats/safetensors.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

template <typename T>
Bytes AsBytes(std::span<const T> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

void Append(QkExtra extra, std::span<const float> values, SafetensorsWriter& writer) {
  if (QkExtraType(extra) == DType::kF32) return writer.Append(AsBytes(values));
  std::vector<uint16_t> halves(values.size());
  std::ranges::transform(values, halves.begin(), F32ToF16);
  writer.Append(AsBytes(std::span<const uint16_t>(halves)));
}

}  // namespace

QkWriter::QkWriter(const fs::path& folder, QkDescription description)
    : folder_(folder / kQkFolderName), description_(std::move(description)) {
  CreateDirectory(folder_);
}

void QkWriter::WriteLayer(BlockKind kind, int64_t index, std::span<const uint16_t> q,
                          std::span<const uint16_t> k, const QkExtraValues& extras) {
  const auto blocks =
      std::find_if(description_.blocks.begin(), description_.blocks.end(),
                   [kind](const QkBlocks& candidate) { return candidate.kind == kind; });
  if (blocks == description_.blocks.end()) {
    throw Error(fmt::format("the store has no {} blocks", BlockKindName(kind)), folder_.string());
  }
  const Shape shape = description_.shape(*blocks);
  const std::string file = QkFileName(kind, index);
  std::vector<SafetensorsWriter::Entry> entries = {{"q", DType::kF16, shape},
                                                   {"k", DType::kF16, shape}};
  QkLayer layer{index, LayerName(index), file};
  for (const QkExtra extra : kQkExtras) {
    if (extras.of(extra).empty()) continue;
    entries.push_back({QkExtraName(extra), QkExtraType(extra), description_.shape(*blocks, extra)});
    layer.extras.push_back(extra);
  }
  SafetensorsWriter writer(folder_ / file, entries, {}, {.sync = Sync::kLater});
  writer.Append(AsBytes(q));
  writer.Append(AsBytes(k));
  for (const QkExtra extra : layer.extras) Append(extra, extras.of(extra), writer);
  writer.Commit();
  bytes_ += writer.size();
  blocks->layers.push_back(std::move(layer));
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
