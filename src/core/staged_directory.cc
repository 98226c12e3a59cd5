// SPDX-License-Identifier: Apache-2.0
// A hidden folder holds
//   lock        locked with flock() while its process lives; begins with kMark
//   new/        what is written. After an exchange of names: what stood there before
//   old/        what stood there before, where names cannot be exchanged
//   replacing   written just before names change, when new/ is complete: which folder new/ is, and
//               the files that the replaced folder calls its own
// so that whoever finds it without its process can tell what is whole and what may be deleted.
#include "core/staged_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "core/durability.h"
#include "core/file.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMark = "vggt-attn: a folder that is being written\n";
constexpr std::string_view kInfix = ".partial-";
constexpr int kTries = 100;

bool Exists(const fs::path& path) {
  std::error_code unknown;
  return fs::exists(fs::symlink_status(path, unknown));
}

// Whether the open file `fd` is locked now, by this process. One that has been deleted since does
// not count: whoever cleans up may have had the lock first.
bool LockFile(int fd, const fs::path& path) {
  struct stat held = {}, named = {};
  return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &held) == 0 &&
         stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

// Creates the lock of a hidden folder that was just made. -1 with an errno if that failed: ENOENT
// or EWOULDBLOCK if somebody who cleans up was quicker. File systems without locks are taken as
// they are: what is left there is never removed.
int CreateLock(const fs::path& container) {
  const fs::path path = container / "lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return -1;
  errno = ENOENT;  // if another file has the name by now
  if (!LockFile(fd, path) && (errno == ENOENT || errno == EWOULDBLOCK)) {
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
  }
  if (write(fd, kMark.data(), kMark.size()) == std::ssize(kMark)) return fd;
  const int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

// A new hidden folder for `path`, locked. Throws Error.
fs::path CreateContainer(const fs::path& path, int& lock) {
  for (int i = 0; i < kTries; ++i) {
    std::string name =
        (path.parent_path() / fmt::format(".{}{}XXXXXX", path.filename().string(), kInfix))
            .string();
    if (mkdtemp(name.data()) == nullptr) break;
    lock = CreateLock(name);
    if (lock >= 0 && mkdir((name + "/new").c_str(), 0777) == 0) return name;
    const int reason = errno;
    unlink((name + "/lock").c_str());
    rmdir(name.c_str());
    if (lock >= 0) close(std::exchange(lock, -1));
    errno = reason;
    if (reason != ENOENT && reason != EWOULDBLOCK) break;
  }
  ThrowSystemError(errno, "cannot create this folder", path.string());
}

// What the file "replacing" says.
struct Replacing {
  uint64_t new_inode = 0;
  std::set<fs::path> own_files;  // of the folder that is replaced
};

// Paths hold no NUL.
void WriteReplacing(const fs::path& container, const Replacing& replacing) {
  std::string text = std::to_string(replacing.new_inode);
  for (const fs::path& file : replacing.own_files) text += '\0' + file.string();
  WriteFileAtomic(container / "replacing", text);
}

std::optional<Replacing> ReadReplacing(const fs::path& container) {
  if (!Exists(container / "replacing")) return std::nullopt;
  const std::string text = ReadFile(container / "replacing");
  Replacing replacing;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\0', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    if (begin == 0) {
      std::from_chars(part.data(), part.data() + part.size(), replacing.new_inode);
    } else {
      replacing.own_files.insert(part);
    }
    begin = end + 1;
  }
  return replacing;
}

uint64_t InodeOf(const fs::path& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// A free name beside `path`: "NAME-2", "NAME-3", … "" if there is none.
fs::path RenameToFreeName(const fs::path& from, const fs::path& path) {
  for (int i = 2; i < kTries; ++i) {
    fs::path name = path.string() + fmt::format("-{}", i);
    if (RenameWithoutReplacing(from, name)) return name;
  }
  return {};
}

// Deletes `own` below `folder`, then all folders that are empty. What lies behind a link is not
// below it.
void RemoveFiles(const fs::path& folder, const std::set<fs::path>& own) {
  std::error_code ignored;
  const fs::path root = fs::canonical(folder, ignored);
  for (const fs::path& file : own) {
    const fs::path path = (root / file).lexically_normal();
    const fs::path real = fs::canonical(path.parent_path(), ignored);
    const bool below =
        std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end() &&
        path != root && real == path.parent_path();
    if (below && !ignored && !fs::is_directory(fs::symlink_status(path, ignored))) {
      unlink(path.c_str());
    }
  }
  // Folders that held nothing else go, too; somebody's own empty ones stay.
  std::set<fs::path> folders;
  for (const fs::path& file : own) {
    for (fs::path p = file.parent_path(); !p.empty() && folders.insert(p).second;) {
      p = p.parent_path();
    }
  }
  for (auto it = folders.rbegin(); it != folders.rend(); ++it) rmdir((root / *it).c_str());
}

// What became of files that are not an export's own.
struct Retired {
  std::vector<fs::path> moved;  // paths below the new folder
  std::string problem;          // why some are still where they were; empty if none is
};

// Moves all that is left in `from` to the same places in `to`, or beside them where they are taken.
// What cannot be moved stays.
void MoveAll(const fs::path& from, const fs::path& to, const fs::path& below, Retired& retired) {
  std::vector<fs::path> names;
  std::error_code failed;
  for (fs::directory_iterator it(from / below, failed), end; !failed && it != end;
       it.increment(failed)) {
    names.push_back(below / it->path().filename());
  }
  const auto note = [&](const fs::path& name, const std::string& problem) {
    if (retired.problem.empty()) retired.problem = PrintableText(name.string()) + ": " + problem;
  };
  if (failed) note(below, failed.message());
  for (const fs::path& name : names) {
    const fs::path target = to / name;
    std::error_code unknown;
    try {
      if (RenameWithoutReplacing(from / name, target)) {
        retired.moved.push_back(name);
      } else if (fs::is_directory(fs::symlink_status(from / name, unknown)) &&
                 fs::is_directory(fs::symlink_status(target, unknown))) {
        MoveAll(from, to, name, retired);
        rmdir((from / name).c_str());
      } else {
        const fs::path free = RenameToFreeName(from / name, target);
        if (free.empty()) throw Error("no free name beside it");
        retired.moved.push_back(free.lexically_relative(to));
      }
    } catch (const Error& error) {
      note(name, error.problem());
    }
  }
}

// Deletes what was replaced, but for what is not its own: that moves into the new folder.
Retired Retire(const fs::path& container, const fs::path& current, const Replacing& replacing) {
  Retired retired;
  for (const char* name : {"new", "old"}) {
    const fs::path replaced = container / name;
    if (!Exists(replaced)) continue;
    if (InodeOf(replaced) == replacing.new_inode) {
      std::error_code failed;
      fs::remove_all(replaced, failed);  // names were never exchanged
      continue;
    }
    RemoveFiles(replaced, replacing.own_files);
    MoveAll(replaced, current, "", retired);
    rmdir(replaced.c_str());
  }
  return retired;
}

// Held while names change. Best effort: some file systems lock no folders.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder)
      : fd_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    while (fd_ >= 0 && flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  int fd_;
};

// If there is nothing in it. Otherwise what says whose it is stays with it. False if it stays.
bool RemoveContainer(const fs::path& container) {
  for (const char* name : {"new", "old"}) rmdir((container / name).c_str());
  if (Exists(container / "new") || Exists(container / "old")) return false;
  for (const char* name : {"replacing", "lock"}) unlink((container / name).c_str());
  return rmdir(container.c_str()) == 0;
}

// Where names cannot be exchanged there is a moment in which `path` is missing.
void MoveAsideAndRename(const fs::path& container, const fs::path& path) {
  if (!RenameWithoutReplacing(path, container / "old")) {
    throw Error("cannot be replaced", path.string());
  }
  try {
    if (RenameWithoutReplacing(container / "new", path)) return;
    throw Error("exists already", path.string());
  } catch (const Error&) {
    RenameWithoutReplacing(container / "old", path);
    throw;
  }
}

uint64_t BytesBelow(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator it(folder, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    struct stat info = {};
    if (lstat(it->path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) bytes += info.st_size;
  }
  return bytes;
}

// The final name of a hidden folder of this kind; "" for others.
std::string FinalNameOf(const std::string& hidden) {
  const size_t infix = hidden.rfind(kInfix);
  if (!hidden.starts_with('.') || infix == std::string::npos || infix < 2) return "";
  return hidden.substr(1, infix - 1);
}

// Whether a hidden folder was made by this program, and its process has ended: then `fd` holds its
// lock.
enum class Fate { kRunning, kEnded, kUnknown };
Fate FateOf(const fs::path& container, int& fd) {
  const fs::path path = container / "lock";
  fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return Fate::kUnknown;
  errno = EWOULDBLOCK;
  if (!LockFile(fd, path)) return errno == EWOULDBLOCK ? Fate::kRunning : Fate::kUnknown;
  std::array<char, kMark.size()> begin = {};
  const ssize_t n = pread(fd, begin.data(), begin.size(), 0);
  const std::string_view text(begin.data(), static_cast<size_t>(std::max<ssize_t>(n, 0)));
  // Killed before it could write all of it.
  if (kMark.starts_with(text) && (text == kMark || !Exists(container / "new"))) return Fate::kEnded;
  return Fate::kUnknown;
}

// Returns what could not be moved, and why; "" if all is done.
std::string Finish(const fs::path& container, const fs::path& path, Recovery& recovery) {
  const std::optional<Replacing> replacing = ReadReplacing(container);
  recovery.removed_bytes += BytesBelow(container);
  if (!replacing) {
    fs::remove_all(container / "new");
    return "";
  }
  fs::path current = path;
  if (Exists(container / "old") && InodeOf(container / "new") == replacing->new_inode) {
    // Killed between two renames. By now somebody may have made something else under the name.
    if (!RenameWithoutReplacing(container / "new", path)) {
      current = RenameToFreeName(container / "new", path);
    }
    if (current.empty()) throw Error("no free name", path.string());
    recovery.restored.push_back(current);
  }
  return Retire(container, current, *replacing).problem;
}

void RecoverOne(const fs::path& container, const fs::path& path, Recovery& recovery) {
  int fd = -1;
  const Fate fate = FateOf(container, fd);
  if (fate == Fate::kEnded) {
    std::string problem;
    try {
      problem = Finish(container, path, recovery);
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (RemoveContainer(container)) {
      recovery.removed.push_back(container);
    } else {
      recovery.stranded.push_back({container, problem});
    }
  } else if (fate == Fate::kUnknown && rmdir(container.c_str()) != 0 && Exists(container)) {
    // An empty one was killed before it had a lock, or is about to take it: then it makes another.
    recovery.unknown.push_back(container);
  }
  if (fd >= 0) close(fd);
}

}  // namespace

StagedDirectory::StagedDirectory(const fs::path& path, ListOwnFiles own_files)
    : given_(path), path_(fs::absolute(path).lexically_normal()), own_files_(std::move(own_files)) {
  if (!path_.has_filename()) path_ = path_.parent_path();
  if (!path_.has_filename()) throw Error("is not a folder that can be written", path.string());
  std::error_code ignored;
  if (Exists(path_) && own_files_ == nullptr) {
    throw Error("exists already", path.string(), "Choose another name.");
  }
  if (Exists(path_)) {
    if (!fs::is_directory(path_, ignored)) {
      throw Error("is a file; a folder is to be written there", path.string());
    }
    path_ = fs::canonical(path_);
    own_files_(path_);
  }
  const fs::path parent = path_.parent_path();
  for (fs::path p = parent; !fs::exists(p, ignored) && p.has_relative_path(); p = p.parent_path()) {
    first_created_parent_ = p;
  }
  std::error_code failed;
  fs::create_directories(parent, failed);
  try {
    if (failed) ThrowSystemError(failed.value(), "cannot create this folder", path.string());
    container_ = CreateContainer(path_, lock_);
  } catch (const Error&) {
    RemoveCreatedParents();
    throw;
  }
  staging_ = container_ / "new";
}

StagedDirectory::~StagedDirectory() {
  if (!committed_) {
    std::error_code ignored;
    // The lock goes last: without it the rest would belong to nobody.
    unlink((container_ / "replacing").c_str());
    fs::remove_all(staging_, ignored);
    RemoveContainer(container_);
    RemoveCreatedParents();
  }
  close(lock_);
}

// Only those that are empty: somebody else may have put something there meanwhile.
void StagedDirectory::RemoveCreatedParents() const {
  if (first_created_parent_.empty()) return;
  for (fs::path p = path_.parent_path();; p = p.parent_path()) {
    rmdir(p.c_str());
    if (p == first_created_parent_) break;
  }
}

Error StagedDirectory::AtFinalPlace(const Error& error) const {
  const std::string& where = error.where();
  if (!where.starts_with(staging_.string())) return error;
  return Error(error.problem(), given_.string() + where.substr(staging_.string().size()),
               error.hint());
}

void StagedDirectory::KeepUnderFreeName(const std::string& problem) {
  const fs::path free = RenameToFreeName(staging_, path_);
  if (free.empty()) throw Error(problem, given_.string());
  committed_ = true;
  RemoveContainer(container_);
  SyncToDisk(path_.parent_path());
  throw Error(problem, given_.string(),
              fmt::format("It was not touched. What was computed is whole, in {}.",
                          PrintableText(free.string())));
}

std::vector<fs::path> StagedDirectory::Commit() {
  SyncTreeToDisk(staging_);
  const fs::path parent = path_.parent_path();
  // Others of this program that replace the same folder wait here.
  const FolderLock turn(parent);
  std::vector<fs::path> kept;
  if (!RenameWithoutReplacing(staging_, path_)) {
    if (own_files_ == nullptr) KeepUnderFreeName("exists by now: somebody made it meanwhile");
    Replacing replacing{InodeOf(staging_), {}};
    try {
      replacing.own_files = own_files_(path_);
    } catch (const Error& error) {
      KeepUnderFreeName("has changed meanwhile and " + error.problem());
    }
    WriteReplacing(container_, replacing);
    // Who may look into the old one may look into the new one, and nobody else.
    struct stat old = {};
    if (stat(path_.c_str(), &old) == 0) chmod(staging_.c_str(), old.st_mode & 07777);
    if (!ExchangeNames(staging_, path_)) MoveAsideAndRename(container_, path_);
    committed_ = true;
    SyncToDisk(parent);
    Retired retired = Retire(container_, path_, replacing);
    kept = std::move(retired.moved);
    if (!RemoveContainer(container_)) {
      throw Error("is replaced, but not all that is yours in the old one could be moved into it (" +
                      retired.problem + ")",
                  given_.string(),
                  fmt::format("It lies in {}: move it from there.",
                              PrintableText((container_ / "new").string())));
    }
    SyncToDisk(parent);
    return kept;
  }
  committed_ = true;
  RemoveContainer(container_);
  SyncToDisk(parent);
  return kept;
}

Recovery RecoverAbandoned(const fs::path& folder) {
  Recovery recovery;
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator it(folder.empty() ? "." : folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code unknown;
    if (!FinalNameOf(it->path().filename().string()).empty() &&
        it->symlink_status(unknown).type() == fs::file_type::directory) {
      found.push_back(it->path());
    }
  }
  if (access(folder.empty() ? "." : folder.c_str(), W_OK) != 0) return recovery;
  for (const fs::path& container : found) {
    RecoverOne(container, container.parent_path() / FinalNameOf(container.filename().string()),
               recovery);
  }
  return recovery;
}

}  // namespace vggt
