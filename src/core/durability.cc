// SPDX-License-Identifier: Apache-2.0
#include "core/durability.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/error.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// Called by its number, because C libraries older than the kernel do not declare it.
int RenameAt2(const fs::path& from, const fs::path& to, unsigned flags) {
  return static_cast<int>(
      syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
}
constexpr unsigned kNoReplace = 1, kExchange = 2;

// Whether the last call failed because this kernel or file system does not support it.
bool Unsupported() { return errno == EINVAL || errno == ENOSYS || errno == ENOTSUP; }

[[noreturn]] void ThrowRenameError(int error_number, const fs::path& to) {
  ThrowSystemError(error_number, "cannot create", to.string());
}

// Whether `a` and `b` are names of one file: a process was killed between link() and unlink().
bool AreOneFile(const fs::path& a, const fs::path& b) {
  struct stat x = {}, y = {};
  return lstat(a.c_str(), &x) == 0 && lstat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino;
}

}  // namespace

bool RenameWithoutReplacing(const fs::path& from, const fs::path& to) {
  if (RenameAt2(from, to, kNoReplace) == 0) return true;
  if (errno == EEXIST && AreOneFile(from, to)) return unlink(from.c_str()) == 0;
  if (errno == EEXIST) return false;
  if (!Unsupported()) ThrowRenameError(errno, to);
  std::error_code unknown;
  if (fs::is_directory(fs::symlink_status(from, unknown))) {
    // rename() of a folder replaces nothing but an empty folder.
    if (rename(from.c_str(), to.c_str()) == 0) return true;
    if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) return false;
    ThrowRenameError(errno, to);
  }
  if (link(from.c_str(), to.c_str()) != 0) {
    if (errno == EEXIST) return false;
    ThrowRenameError(errno, to);
  }
  unlink(from.c_str());
  return true;
}

bool ExchangeNames(const fs::path& a, const fs::path& b) {
  if (RenameAt2(a, b, kExchange) == 0) return true;
  if (!Unsupported()) ThrowRenameError(errno, b);
  return false;
}

void SyncToDisk(int fd, const fs::path& path) {
  int status = 0;
  do {
    status = fsync(fd);
  } while (status != 0 && errno == EINTR);
  if (status != 0 && !Unsupported() && errno != EROFS) {
    ThrowSystemError(errno, "cannot write", path.string());
  }
}

void SyncToDisk(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) ThrowSystemError(errno, "cannot write", path.string());
  try {
    SyncToDisk(fd, path);
  } catch (...) {
    close(fd);
    throw;
  }
  close(fd);
}

void SyncTreeToDisk(const fs::path& folder) {
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    const fs::file_type type = it->symlink_status(failed).type();
    if (type == fs::file_type::regular || type == fs::file_type::directory) {
      SyncToDisk(it->path());
    }
  }
  if (failed) ThrowSystemError(failed.value(), "cannot write", folder.string());
  SyncToDisk(folder);
}

}  // namespace vggt
