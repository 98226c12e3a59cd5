// SPDX-License-Identifier: Apache-2.0
#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <utility>

#include "core/durability.h"
#include "core/error.h"
#include "core/mapped_file.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr int kMostNames = 100;

fs::path FolderOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
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

std::string ReadFile(const fs::path& path) {
  const MappedFile file(path);
  std::string text(file.bytes().size(), '\0');
  file.Read(0, text.size(), reinterpret_cast<uint8_t*>(text.data()));
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
