// SPDX-License-Identifier: Apache-2.0
// Writes the store of queries and keys of an export, a layer at a time.
#pragma once

#include <filesystem>
#include <span>

#include "store/qk/qk_schema.h"

namespace vggt {

// Not for several threads at once; which thread calls does not matter.
class QkWriter {
 public:
  // Writes below `folder`/qk, which is created. `description` holds everything but the layers.
  QkWriter(const std::filesystem::path& folder, QkDescription description);

  // What the description says of the reference frame; before Finish.
  void SetReferenceFrame(int64_t frame) { description_.reference_frame = frame; }

  // Writes q and k of one layer, counted from 0, of a kind that the description has. Layers come in
  // any order, each once. Both tensors are [heads, tokens, head_dim] as the bits of float16. With
  // them go those of `extras` that are not empty; they fit their types. Throws Error if a tensor is
  // of another size.
  void WriteLayer(BlockKind kind, int64_t index, std::span<const uint16_t> q,
                  std::span<const uint16_t> k, const QkExtraValues& extras = {});
  // Writes the description, after all layers, and returns the size of qk/ in bytes. Throws Error if
  // a kind of blocks has no layers.
  uint64_t Finish();

 private:
  std::filesystem::path folder_;
  QkDescription description_;
  uint64_t bytes_ = 0;
};

}  // namespace vggt
