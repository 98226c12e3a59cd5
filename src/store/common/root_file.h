// SPDX-License-Identifier: Apache-2.0
// A file read piece by piece, and temporary ones without a name. Unlike a mapping, one that others
// truncate gives an Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "core/error.h"

namespace vggt {

// A path that leads out of the folder that everything must lie in.
class OutsideRoot : public Error {
 public:
  using Error::Error;
};

// Throws OutsideRoot unless `path`, symbolic links resolved, is `root` or lies below it. What does
// not exist counts by its name. An empty root allows everything.
void CheckInside(const std::filesystem::path& path, const std::filesystem::path& root);

// Movable; any number of threads may read at the same time.
class RandomFile {
 public:
  RandomFile() = default;
  // Throws MissingFile, or Error if `path` is unreadable or not a regular file.
  explicit RandomFile(const std::filesystem::path& path);
  // A file of `size` > 0 bytes in `folder` that has no name, so that nothing can be left behind,
  // filled by `fill`. Throws Error, before `fill` is called, if there is no space for it.
  static RandomFile Temporary(const std::filesystem::path& folder, uint64_t size,
                              const std::function<void(std::span<uint8_t>)>& fill);
  RandomFile(RandomFile&& other) noexcept;
  RandomFile& operator=(RandomFile&& other) noexcept;
  ~RandomFile();

  // When it was opened.
  uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

  // Fills `out` with the bytes from `offset` on. Throws Error if there are fewer.
  void Read(uint64_t offset, std::span<uint8_t> out) const;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

// All of a file of at most `limit` bytes. Throws Error like RandomFile.
std::string ReadSmallFile(const std::filesystem::path& path, uint64_t limit);

}  // namespace vggt
