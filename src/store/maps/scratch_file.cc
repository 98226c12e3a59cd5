// SPDX-License-Identifier: Apache-2.0
#include "store/maps/scratch_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.h"
#include "core/spill_file.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// Takes the space now. A write through a mapping has no way to report a full disk but to crash.
void Reserve(int fd, uint64_t size, const fs::path& folder) {
  std::error_code unknown;
  const fs::space_info space = fs::space(folder, unknown);
  // Asked first, because some file systems take all the space there is before they fail.
  int failed = !unknown && space.available < size ? ENOSPC : EINTR;
  while (failed == EINTR) failed = posix_fallocate(fd, 0, static_cast<off_t>(size));
  if (failed == ENOSPC || failed == EFBIG || failed == EDQUOT) {
    throw Error(
        fmt::format("has no space for {} of maps, inflated", HumanBytes(static_cast<double>(size))),
        folder.string(), "Free some, or set TMPDIR to another folder.");
  }
  if (failed != 0) ThrowSystemError(failed, "cannot create a temporary file", folder.string());
}

class Mapping {
 public:
  Mapping(int fd, uint64_t size, const fs::path& folder) : size_(size) {
    data_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data_ == MAP_FAILED) ThrowSystemError(errno, "cannot map into memory", folder.string());
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(data_, size_); }

  std::span<uint8_t> bytes() { return {static_cast<uint8_t*>(data_), size_}; }

 private:
  void* data_;
  uint64_t size_;
};

}  // namespace

File MakeScratchFile(const fs::path& folder, uint64_t size,
                     const std::function<void(std::span<uint8_t>)>& fill) {
  const int fd = OpenUnnamed(folder);
  try {
    Reserve(fd, size, folder);
    Mapping mapping(fd, size, folder);
    fill(mapping.bytes());
  } catch (...) {
    close(fd);
    throw;
  }
  return {fd, folder};
}

}  // namespace vggt
