// SPDX-License-Identifier: Apache-2.0
// Small stores of queries and keys.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/safetensors.h"
#include "store/qk/qk_schema.h"
#include "testing.h"

namespace vggt::testing {

// 3 frames of 3×4 patches; global blocks (2 layers), frame blocks and the encoder's (1 each).
inline QkDescription SmallQkDescription(int64_t frames = 3, int64_t H_p = 3, int64_t W_p = 4,
                                        int64_t head_dim = 16) {
  QkDescription d;
  d.image_set_name = "small";
  d.frames = frames;
  d.H_p = H_p;
  d.W_p = W_p;
  for (int64_t i = 0; i < frames; ++i) {
    d.image_paths.push_back(fmt::format("../images/frame_{:02}.png", i));
  }
  d.provenance.model_text = "a small one";
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  const std::vector<std::string> special = {"camera", "register_1"};
  const auto layer = [](BlockKind kind, int64_t index) {
    return QkLayer{index, LayerName(index), QkFileName(kind, index)};
  };
  d.blocks = {{BlockKind::kGlobal,
               3,
               head_dim,
               scale,
               special,
               Attends::kAll,
               {RopeType::k2d, 100, 1},
               {layer(BlockKind::kGlobal, 0), layer(BlockKind::kGlobal, 4)}},
              {BlockKind::kFrame,
               3,
               head_dim,
               scale,
               special,
               Attends::kFrame,
               {RopeType::k2d, 100, 1},
               {layer(BlockKind::kFrame, 0)}},
              {BlockKind::kEncoder,
               2,
               2 * head_dim,
               scale / std::sqrt(2.0),
               {"cls"},
               Attends::kFrame,
               {RopeType::kNone, 100, 1},
               {layer(BlockKind::kEncoder, 0)}}};
  return d;
}

// The queries (which = 0) or keys (1) of a layer, float32 as float16 has them.
inline std::vector<float> QkValues(const QkDescription& d, const QkBlocks& blocks, size_t layer,
                                   int which) {
  const auto kind = static_cast<uint32_t>(blocks.kind);
  std::mt19937 engine(17 * kind + 5 * static_cast<uint32_t>(layer) + static_cast<uint32_t>(which));
  std::vector<float> out(static_cast<size_t>(NumElements(d.shape(blocks))));
  // From -3 to 3. The library's distribution takes a logarithm each time, unless it is optimised.
  for (float& x : out) x = F16ToF32(F32ToF16(static_cast<float>(engine()) * 0x6p-32f - 3));
  return out;
}

inline void WriteQkLayer(const std::filesystem::path& path, const Shape& shape,
                         const std::vector<float>& q, const std::vector<float>& k) {
  SafetensorsWriter writer(path, {{"q", DType::kF16, shape}, {"k", DType::kF16, shape}}, {});
  for (const auto* values : {&q, &k}) {
    std::vector<uint16_t> halves;
    for (const float x : *values) halves.push_back(F32ToF16(x));
    writer.Append({reinterpret_cast<const uint8_t*>(halves.data()), 2 * halves.size()});
  }
  writer.Commit();
}

// Writes folder/qk; returns its description's path.
inline std::filesystem::path WriteQkStore(const std::filesystem::path& folder,
                                          const QkDescription& d) {
  const std::filesystem::path qk = folder / kQkFolderName;
  std::filesystem::create_directories(qk);
  for (const QkBlocks& blocks : d.blocks) {
    for (size_t i = 0; i < blocks.layers.size(); ++i) {
      WriteQkLayer(qk / blocks.layers[i].file, d.shape(blocks), QkValues(d, blocks, i, 0),
                   QkValues(d, blocks, i, 1));
    }
  }
  WriteFileAtomic(qk / kQkDescriptionName, QkDescriptionText(d));
  return qk / kQkDescriptionName;
}

}  // namespace vggt::testing
