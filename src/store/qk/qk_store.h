// SPDX-License-Identifier: Apache-2.0
// Opens a store of queries and keys (docs/formats.md).
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "core/file.h"
#include "core/mapped_file.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// The description of the store that belongs to `path`, which may be an export's folder, its
// attn_maps/ or qk/, or the description itself. Only names are looked at. Empty if there is none.
std::filesystem::path FindQkDescription(const std::filesystem::path& path);

// Reads the description. Throws Error like ParseQkDescription, and OutsideRoot if there is a `root`
// and the file lies outside it.
QkDescription ReadQkDescription(const std::filesystem::path& file,
                                const std::filesystem::path& root);

// Queries and keys of one layer, [heads, tokens, head_dim] each, as the bits of float16. They are
// valid as long as `mapping` lives. Call mapping->CheckIntact() when they have been read, because
// somebody may have changed or truncated the file meanwhile (core/mapped_file.h).
struct QkTensors {
  const uint16_t* q = nullptr;
  const uint16_t* k = nullptr;
  std::shared_ptr<const MappedFile> mapping;
  uint64_t version = 0;  // another one each time the file is opened afresh
};

// A store opened. Layers are mapped when they are first asked for, and stay mapped as long as the
// file is the same; only pages that are read take memory. Any number of threads may use one store
// at the same time.
class QkStore {
 public:
  // `file`: a description, as FindQkDescription gives it. With a `root`, nothing outside it is
  // opened; {} sets no limit. Throws like ReadQkDescription.
  QkStore(const std::filesystem::path& file, std::filesystem::path root);

  const QkDescription& description() const { return description_; }

  // The tensors of a layer. `blocks` is one of description().blocks, and `layer` a place in its
  // layers. A file that was replaced or written to since the last call is opened afresh. Throws
  // MissingFile, OutsideRoot, or Error if the file is damaged or truncated, or if its tensors have
  // another type or shape than the description announces.
  QkTensors Layer(const QkBlocks& blocks, size_t layer) const;

  // The extras of a layer, copied and checked: norms are finite and not negative, and a sum of unit
  // vectors is not longer than there are of them. Throws what Layer() throws, and Error if an extra
  // that the description lists is missing, is of another type or shape, or holds another value.
  QkExtraValues Extras(const QkBlocks& blocks, size_t layer) const;

  std::filesystem::path LayerPath(const QkBlocks& blocks, size_t layer) const;

 private:
  std::filesystem::path folder_, root_;
  QkDescription description_;
  mutable std::mutex mutex_;  // for what follows
  mutable uint64_t opened_ = 0;
  mutable std::vector<std::vector<QkTensors>> layers_;  // as description_.blocks; null until asked
};

}  // namespace vggt
