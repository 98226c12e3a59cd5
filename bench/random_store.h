// SPDX-License-Identifier: Apache-2.0
// A store of VGGT-1B's shape with random values, removed at the end.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"
#include "formats/safetensors.h"
#include "store/qk/qk_schema.h"

namespace vggt {

class RandomStore {
 public:
  // Of each kind `layers` layers; all layers of a kind have the same values.
  RandomStore(int64_t frames, int64_t height, int64_t width, int64_t layers,
              const std::vector<BlockKind>& kinds = {BlockKind::kGlobal}) {
    namespace fs = std::filesystem;
    std::string name = (fs::temp_directory_path() / "vggt-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Error("cannot create a folder", name);
    folder_ = name;
    QkDescription d;
    d.frames = frames;
    d.H_p = height;
    d.W_p = width;
    d.image_paths.assign(static_cast<size_t>(frames), "none.png");
    for (const BlockKind kind : kinds) {
      const bool encoder = kind == BlockKind::kEncoder, global = kind == BlockKind::kGlobal;
      QkBlocks blocks = {kind,
                         16,
                         64,
                         0.125,
                         {"camera", "register_1", "register_2", "register_3", "register_4"},
                         global ? Attends::kAll : Attends::kFrame,
                         {encoder ? RopeType::kNone : RopeType::k2d, 100, 1},
                         {}};
      WriteLayers(d, blocks, layers);
      d.blocks.push_back(blocks);
    }
    WriteFileAtomic(description(), QkDescriptionText(d));
  }
  RandomStore(const RandomStore&) = delete;
  RandomStore& operator=(const RandomStore&) = delete;
  ~RandomStore() { std::filesystem::remove_all(folder_); }

  std::filesystem::path description() const { return folder_ / kQkDescriptionName; }

 private:
  // One file, and links to it.
  void WriteLayers(const QkDescription& d, QkBlocks& blocks, int64_t layers) const {
    std::mt19937 engine(1);
    std::normal_distribution<float> normal(0, 1);
    // A prime number of values, again and again: the time goes to what is measured.
    std::vector<uint16_t> some(1'000'003);
    for (uint16_t& value : some) value = F32ToF16(normal(engine));
    std::vector<uint16_t> values(static_cast<size_t>(NumElements(d.shape(blocks))));
    size_t next = 0;
    for (int64_t i = 0; i < layers; ++i) {
      blocks.layers.push_back({i, LayerName(i), QkFileName(blocks.kind, i)});
      const std::filesystem::path file = folder_ / blocks.layers[static_cast<size_t>(i)].file;
      if (i > 0) {
        std::filesystem::create_hard_link(folder_ / blocks.layers[0].file, file);
        continue;
      }
      SafetensorsWriter writer(
          file, {{"q", DType::kF16, d.shape(blocks)}, {"k", DType::kF16, d.shape(blocks)}}, {});
      for (int tensor = 0; tensor < 2; ++tensor) {
        for (uint16_t& value : values) value = some[next++ % some.size()];
        writer.Append({reinterpret_cast<const uint8_t*>(values.data()), 2 * values.size()});
      }
      writer.Commit();
    }
  }

  std::filesystem::path folder_;
};

}  // namespace vggt
