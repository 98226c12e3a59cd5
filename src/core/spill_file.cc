// SPDX-License-Identifier: Apache-2.0
#include "core/spill_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/error.h"

namespace vggt {

int OpenUnnamed(const std::filesystem::path& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // Some file systems cannot create files without a name.
  std::string name = (folder / "vggt-attn-XXXXXX").string();
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named < 0) ThrowSystemError(errno, "cannot create a temporary file", folder.string());
  unlink(name.c_str());
  return named;
}

SpillFile::SpillFile(const std::filesystem::path& folder)
    : folder_(folder), fd_(OpenUnnamed(folder)) {}

SpillFile::~SpillFile() { close(fd_); }

void SpillFile::Write(uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) ThrowSystemError(errno, "cannot write a temporary file", folder_.string());
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

void SpillFile::Read(uint64_t offset, std::span<uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t read = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) ThrowSystemError(errno, "cannot read a temporary file", folder_.string());
    if (read == 0) throw Error("a temporary file ends before what is wanted", folder_.string());
    out = out.subspan(static_cast<size_t>(read));
    offset += static_cast<uint64_t>(read);
  }
}

}  // namespace vggt
