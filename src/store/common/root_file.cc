// SPDX-License-Identifier: Apache-2.0
#include "store/common/root_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vggt {
namespace fs = std::filesystem;
namespace {

// A file that is gone as soon as it is closed.
int OpenUnlinked(const fs::path& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // Some file systems cannot create files without a name.
  std::string name = (folder / "vggt-attn-XXXXXX").string();
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named < 0) ThrowSystemError(errno, "cannot create a temporary file", folder.string());
  unlink(name.c_str());
  return named;
}

// Space is taken now: a write through a mapping could only crash for want of it.
void Reserve(int fd, uint64_t size, const fs::path& folder) {
  std::error_code unknown;
  const fs::space_info space = fs::space(folder, unknown);
  // Some file systems would first take all there is.
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

void CheckInside(const fs::path& path, const fs::path& root) {
  if (root.empty()) return;
  std::error_code failed;
  const fs::path inner = fs::weakly_canonical(path, failed);
  const fs::path outer = failed ? fs::path() : fs::canonical(root, failed);
  const auto [end, unused] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  if (failed || end != outer.end()) {
    throw OutsideRoot("lies outside the folder that may be read", path.string(),
                      "That folder is " + PrintableText(root.string()) + ".");
  }
}

// Without O_NONBLOCK a pipe would wait for its other end.
RandomFile::RandomFile(const fs::path& path)
    : path_(path), fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
  if (fd_ < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    throw MissingFile("no such file", path.string());
  }
  if (fd_ < 0) ThrowSystemError(errno, "cannot open", path.string());
  struct stat info;
  const bool known = fstat(fd_, &info) == 0;
  if (!known || !S_ISREG(info.st_mode)) {
    close(fd_);
    throw Error(
        known && S_ISDIR(info.st_mode) ? "is a folder, not a file" : "is not a regular file",
        path.string());
  }
  size_ = static_cast<uint64_t>(info.st_size);
}

RandomFile RandomFile::Temporary(const fs::path& folder, uint64_t size,
                                 const std::function<void(std::span<uint8_t>)>& fill) {
  RandomFile file;
  file.path_ = folder;
  file.fd_ = OpenUnlinked(folder);
  file.size_ = size;
  Reserve(file.fd_, size, folder);
  Mapping mapping(file.fd_, size, folder);
  fill(mapping.bytes());
  return file;
}

RandomFile::RandomFile(RandomFile&& other) noexcept { *this = std::move(other); }

RandomFile& RandomFile::operator=(RandomFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

RandomFile::~RandomFile() {
  if (fd_ >= 0) close(fd_);
}

void RandomFile::Read(uint64_t offset, std::span<uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t n = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ThrowSystemError(errno, "cannot read", path_.string());
    if (n == 0) {
      throw Error(fmt::format("ends {} bytes too early", out.size()), path_.string(),
                  "The file is truncated or damaged.");
    }
    offset += static_cast<uint64_t>(n);
    out = out.subspan(static_cast<size_t>(n));
  }
}

std::string ReadSmallFile(const fs::path& path, uint64_t limit) {
  const RandomFile file(path);
  if (file.size() > limit) {
    throw Error(fmt::format("is {}, too large for what it should be (at most {})",
                            HumanBytes(static_cast<double>(file.size())),
                            HumanBytes(static_cast<double>(limit))),
                path.string());
  }
  std::string text(file.size(), '\0');
  file.Read(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  return text;
}

}  // namespace vggt
