// SPDX-License-Identifier: Apache-2.0
#include "core/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <string_view>
#include <utility>

#include "core/durability.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr int kMostNames = 100;

fs::path FolderOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

FileIdentity IdentityOf(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec,
          info.st_mtim.tv_nsec};
}

// A hidden name beside `path` that is hardly taken.
fs::path NameBeside(const fs::path& path) {
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  std::string name = "." + path.filename().string() + ".";
  for (int i = 0; i < 8; ++i) name += kLetters[random() % kLetters.size()];
  return FolderOf(path) / name;
}

// The name of an open file as linkat() takes it.
fs::path LinkOf(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// Creates `path`, which must not exist, with the permissions that the user's umask leaves.
int CreateNew(const fs::path& path) {
  return open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
}

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

bool IsBareName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

std::optional<FileIdentity> IdentityOf(const fs::path& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return IdentityOf(info);
}

File::File(const fs::path& path, const fs::path& root) : path_(path) {
  CheckInside(path, root);
  // Without O_NONBLOCK a pipe would wait for its other end.
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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
  identity_ = IdentityOf(info);
}

File::File(int fd, fs::path path) : path_(std::move(path)), fd_(fd) {
  struct stat info;
  if (fstat(fd_, &info) != 0) {
    const int reason = errno;
    close(fd_);
    ThrowSystemError(reason, "cannot read", path_.string());
  }
  identity_ = IdentityOf(info);
}

File::File(File&& other) noexcept { *this = std::move(other); }

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(identity_, other.identity_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) close(fd_);
}

void File::Read(uint64_t offset, std::span<uint8_t> out) const {
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

bool File::IsUnchanged() const {
  struct stat info;
  return fstat(fd_, &info) == 0 && IdentityOf(info) == identity_;
}

bool File::IsCurrent() const { return IdentityOf(path_) == identity_; }

std::string ReadFile(const fs::path& path, uint64_t limit) {
  const File file(path);
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

void WriteFileAtomic(const fs::path& path, Bytes bytes, AtomicOptions options) {
  AtomicFile file(path, options);
  file.Write(bytes);
  file.Commit();
}

void WriteFileAtomic(const fs::path& path, const std::string& text, AtomicOptions options) {
  WriteFileAtomic(path, BytesOf(text), options);
}

AtomicFile::AtomicFile(const fs::path& path, AtomicOptions options)
    : path_(path), options_(options) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw Error(fs::is_directory(status) ? "is a folder; a file is to be written there"
                                         : "is a device or the like, not a file to write",
                path.string());
  }
  fd_ = open(FolderOf(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (fd_ >= 0 && access(LinkOf(fd_).c_str(), F_OK) == 0) return;
  if (fd_ >= 0) close(fd_);
  for (int i = 0; i < kMostNames; ++i) {
    temporary_ = NameBeside(path);
    fd_ = CreateNew(temporary_);
    if (fd_ >= 0 || errno != EEXIST) break;
  }
  if (fd_ < 0) ThrowSystemError(errno, "cannot create", path.string());
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
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
  if (options_.sync == Sync::kNow) {
    SyncToDisk(fd_, path_);
  } else {
    sync_file_range(fd_, 0, 0, SYNC_FILE_RANGE_WRITE);
  }
  GiveName();
  close(std::exchange(fd_, -1));
  if (options_.sync == Sync::kNow) SyncToDisk(FolderOf(path_));
}

// A file without a name can be linked to a free name only; to replace another it is linked to a
// hidden name first, which is then renamed.
void AtomicFile::GiveName() {
  const auto link = [this](const fs::path& to) {
    return linkat(AT_FDCWD, LinkOf(fd_).c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0;
  };
  const auto refuse = [this] {
    throw Error("exists by now; it is not replaced", path_.string(), "Choose another name.");
  };
  if (temporary_.empty()) {
    if (link(path_)) return;
    if (errno != EEXIST) ThrowSystemError(errno, "cannot write", path_.string());
    if (options_.existing == Existing::kRefuse) refuse();
    for (int i = 0; i < kMostNames && temporary_.empty(); ++i) {
      const fs::path name = NameBeside(path_);
      if (link(name)) {
        temporary_ = name;
      } else if (errno != EEXIST) {
        break;
      }
    }
    if (temporary_.empty()) ThrowSystemError(errno, "cannot write", path_.string());
  }
  if (options_.existing == Existing::kRefuse) {
    if (!RenameWithoutReplacing(temporary_, path_)) refuse();
  } else if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    ThrowSystemError(errno, "cannot write", path_.string());
  }
}

}  // namespace vggt
