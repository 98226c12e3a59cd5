// SPDX-License-Identifier: Apache-2.0
// Temporary files without a name: the system frees them when they are closed, however the process
// ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "core/bytes.h"

namespace vggt {

// Opens an empty one in `folder`, for reading and writing; the caller closes it. Throws Error.
int OpenUnnamed(const std::filesystem::path& folder);

// What is too large to be kept in memory and is read again later.
class SpillFile {
 public:
  // Throws Error if it cannot be made.
  explicit SpillFile(const std::filesystem::path& folder);
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  ~SpillFile();

  // Any threads may call these at the same time. Both throw Error: Write if the disk is full, Read
  // if not all of it has been written.
  void Write(uint64_t offset, Bytes bytes);
  void Read(uint64_t offset, std::span<uint8_t> out) const;

 private:
  std::filesystem::path folder_;
  int fd_;
};

}  // namespace vggt
