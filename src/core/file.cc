// SPDX-License-Identifier: Apache-2.0
#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/error.h"

namespace vggt {
namespace fs = std::filesystem;

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT) throw Error("no such file", path.string());
    ThrowSystemError(errno, "cannot open", path.string());
  }
  struct stat info;
  if (fstat(fd, &info) != 0) {
    const int reason = errno;
    close(fd);
    ThrowSystemError(reason, "cannot read", path.string());
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    throw Error(S_ISDIR(info.st_mode) ? "is a folder, not a file" : "is not a regular file",
                path.string());
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ > 0) {
    void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      const int reason = errno;
      close(fd);
      ThrowSystemError(reason, "cannot map into memory", path.string());
    }
    data_ = static_cast<const uint8_t*>(data);
  }
  fd_ = fd;
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(fd_, other.fd_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
  if (fd_ >= 0) close(fd_);
}

void MappedFile::Read(size_t offset, size_t size, uint8_t* to) const {
  while (size > 0) {
    const ssize_t n = pread(fd_, to, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ThrowSystemError(errno, "cannot read", path_.string());
    if (n == 0) throw Error("became shorter while it was read", path_.string());
    const auto taken = static_cast<size_t>(n);
    offset += taken;
    to += taken;
    size -= taken;
  }
}

void MappedFile::Release(size_t offset, size_t size) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + size) / page * page;
  if (end > begin && end <= size_) {
    madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

std::string ReadFile(const fs::path& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

void WriteFileAtomic(const fs::path& path, Bytes bytes) {
  AtomicFile file(path);
  file.Write(bytes);
  file.Commit();
}

void WriteFileAtomic(const fs::path& path, const std::string& text) {
  WriteFileAtomic(path, Bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

AtomicFile::AtomicFile(const fs::path& path) : path_(path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw Error(fs::is_directory(status) ? "is a folder; a file is to be written there"
                                         : "is a device or the like, not a file to write",
                path.string());
  }
  std::string name = (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
  fd_ = mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) ThrowSystemError(errno, "cannot create", path.string());
  temporary_ = name;
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

void AtomicFile::Write(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ThrowSystemError(errno, "cannot write", path_.string());
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::WriteAt(uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ThrowSystemError(errno, "cannot write", path_.string());
    offset += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::Commit() {
  // mkostemp makes the file private; give it the permissions that a plain creation would.
  const mode_t mask = umask(0);
  umask(mask);
  const bool ok = fchmod(fd_, 0666 & ~mask) == 0 && rename(temporary_.c_str(), path_.c_str()) == 0;
  if (!ok) ThrowSystemError(errno, "cannot write", path_.string());
  close(std::exchange(fd_, -1));
}

Bytes Cursor::Take(size_t size, const char* what) {
  if (size > left()) {
    Fail(fmt::format("{} needs {} bytes, {} are left", what, size, left()),
         "The file is truncated or damaged.");
  }
  const Bytes out = bytes_.subspan(position_, size);
  position_ += size;
  return out;
}

void Cursor::Fail(const std::string& problem, const std::string& hint) const {
  throw Error(problem, fmt::format("{}, byte {}", source_, position_), hint);
}

}  // namespace vggt
