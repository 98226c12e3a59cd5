// SPDX-License-Identifier: Apache-2.0
// Writes the store of queries and keys of an export, a layer at a time.
#pragma once

#include <filesystem>
#include <span>

#include "store/qk/qk_schema.h"

namespace vggt {

// One caller at a time; WriteLayer may be called on another thread than the rest.
class QkWriter {
 public:
  // Writes below `folder`/qk, which is created. `description` holds everything but the layers.
  QkWriter(const std::filesystem::path& folder, QkDescription description);

  // The q and k of one layer, counted from 0, of a kind that the description has; each layer once.
  // Both are [heads, tokens, head_dim] as float16. Throws Error if they are of another size.
  void WriteLayer(BlockKind kind, int64_t index, std::span<const uint16_t> q,
                  std::span<const uint16_t> k);
  // The description, last. Throws Error if a kind has no layers. Returns the bytes in qk/.
  uint64_t Finish();

 private:
  std::filesystem::path folder_;
  QkDescription description_;
  uint64_t bytes_ = 0;
};

}  // namespace vggt
