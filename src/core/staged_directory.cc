// SPDX-License-Identifier: Apache-2.0
// A hidden folder (the "container") holds
//   lock        a file that is locked with flock() while the process lives; it begins with kMark
//   new/        the new folder; after an exchange of names, the old one
//   old/        the old folder, where names cannot be exchanged
//   replacing   the inode of the new folder and the list of the old folder's own files; written
//               just before names change, when new/ is complete
//
// Commit() takes these steps. The process may be killed between any two of them.
//   1. All data in new/ go to the disk.
//   2. If nothing has the final name, new/ is renamed to it, and step 6 follows.
//   3. "replacing" is written.
//   4. The names of the old folder and of new/ are exchanged. Where the file system cannot do that,
//      the old folder becomes old/ and then new/ gets the name.
//   5. The old folder's own files are deleted; all others move into the new folder.
//   6. The container is removed.
//
// RecoverAbandoned() takes the lock of a container whose process has ended. Without "replacing" the
// process did not reach step 4, and new/ is deleted. With it, the inode of new/ tells whether names
// were exchanged: if not, new/ is deleted, too; else step 5 is done again. If the process was
// killed between the two renames of step 4, the second one is done first. flock() is used because
// the kernel releases it however the process ends: no process id that may be used again has to be
// looked up, and no age guessed.
#include "core/staged_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
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

// Locks the open file `fd`; returns whether that succeeded and `path` is still this file. Another
// process that cleans up may have had the lock first and have deleted the file.
bool LockFile(int fd, const fs::path& path) {
  struct stat held = {}, named = {};
  return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &held) == 0 &&
         stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

// Creates and locks the lock file of a new container. Returns -1 and sets errno if that failed; it
// is ENOENT or EWOULDBLOCK if another process that cleans up was quicker. On file systems without
// locks it succeeds without one: containers that are left there are never removed.
int CreateLock(const fs::path& container) {
  const fs::path path = container / "lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return -1;
  errno = ENOENT;  // for the case that another file has the name now
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

// Makes a container for `path` and locks it. Throws Error.
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

// The content of the file "replacing".
struct Replacing {
  uint64_t new_inode = 0;
  std::set<fs::path> own_files;  // of the folder that is replaced
};

// The parts are separated by NUL, which no path holds.
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

// Renames `from` to the first of "PATH-2", "PATH-3", … that is free, and returns that name; "" if
// none is.
fs::path RenameToFreeName(const fs::path& from, const fs::path& path) {
  for (int i = 2; i < kTries; ++i) {
    fs::path name = path.string() + fmt::format("-{}", i);
    if (RenameWithoutReplacing(from, name)) return name;
  }
  return {};
}

// Deletes the files `own` below `folder`, then the folders they were in, if these are empty now.
// Files that a path reaches through a link are not below `folder` and stay.
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
  // Other empty folders belong to the user and stay.
  std::set<fs::path> folders;
  for (const fs::path& file : own) {
    for (fs::path p = file.parent_path(); !p.empty() && folders.insert(p).second;) {
      p = p.parent_path();
    }
  }
  for (auto it = folders.rbegin(); it != folders.rend(); ++it) rmdir((root / *it).c_str());
}

// What became of the user's files in an old folder.
struct Retired {
  std::vector<fs::path> moved;  // as paths relative to the new folder
  std::string problem;          // why some could not be moved; empty if all were
};

// Moves everything in `from`/`below` to the same place below `to`, or to a free name beside it if
// the place is taken. What cannot be moved stays.
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

// Step 5 above; `current` is the new folder. Deletes new/ as a whole if names were never exchanged.
Retired Retire(const fs::path& container, const fs::path& current, const Replacing& replacing) {
  Retired retired;
  for (const char* name : {"new", "old"}) {
    const fs::path replaced = container / name;
    if (!Exists(replaced)) continue;
    if (InodeOf(replaced) == replacing.new_inode) {
      std::error_code failed;
      fs::remove_all(replaced, failed);
      continue;
    }
    RemoveFiles(replaced, replacing.own_files);
    MoveAll(replaced, current, "", retired);
    rmdir(replaced.c_str());
  }
  return retired;
}

// A lock on the folder in which names change. Best effort: some file systems do not lock folders.
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

// Removes the container if new/ and old/ are empty or missing; returns whether it is gone.
// Otherwise "lock" and "replacing" stay, too, so that a later RecoverAbandoned() can go on.
bool RemoveContainer(const fs::path& container) {
  for (const char* name : {"new", "old"}) rmdir((container / name).c_str());
  if (Exists(container / "new") || Exists(container / "old")) return false;
  for (const char* name : {"replacing", "lock"}) unlink((container / name).c_str());
  return rmdir(container.c_str()) == 0;
}

// Step 4 without an exchange of names: for a moment nothing has the name `path`.
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

// The final name that belongs to the name of a container; "" if it is no container's name.
std::string FinalNameOf(const std::string& hidden) {
  const size_t infix = hidden.rfind(kInfix);
  if (!hidden.starts_with('.') || infix == std::string::npos || infix < 2) return "";
  return hidden.substr(1, infix - 1);
}

// What a container is: kRunning if another process holds its lock; kEnded if this program made it
// and the process has ended (`fd` holds the lock then); otherwise kUnknown.
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
  // An incomplete mark is from a process that was killed before it made new/.
  if (kMark.starts_with(text) && (text == kMark || !Exists(container / "new"))) return Fate::kEnded;
  return Fate::kUnknown;
}

// Finishes what the process that made `container` was doing (see above). Returns what could not be
// moved, and why; "" if everything is done.
std::string Finish(const fs::path& container, const fs::path& path, Recovery& recovery) {
  const std::optional<Replacing> replacing = ReadReplacing(container);
  recovery.removed_bytes += BytesBelow(container);
  if (!replacing) {
    fs::remove_all(container / "new");
    return "";
  }
  fs::path current = path;
  if (Exists(container / "old") && InodeOf(container / "new") == replacing->new_inode) {
    // The process was killed between two renames. Something else may have the name now.
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
    // An empty container could be removed: its process was killed before it made the lock file, or
    // is about to make it and will find the container gone and make another.
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
    // To move a folder elsewhere, one must be allowed to write into it.
    if (access(path_.c_str(), W_OK) != 0) {
      throw Error("may not be written, so that it cannot be replaced", path.string(),
                  "Check its permissions.");
    }
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
    // The lock goes last: without it RecoverAbandoned() would leave the rest alone.
    unlink((container_ / "replacing").c_str());
    fs::remove_all(staging_, ignored);
    RemoveContainer(container_);
    RemoveCreatedParents();
  }
  close(lock_);
}

// Removes only empty folders: another process may have put something there meanwhile.
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
              fmt::format("It was not touched. The complete result is in {}.",
                          PrintableText(free.string())));
}

std::vector<fs::path> StagedDirectory::Commit() {
  SyncTreeToDisk(staging_);
  const fs::path parent = path_.parent_path();
  // Other processes of this program that replace the same folder wait here.
  const FolderLock turn(parent);
  std::vector<fs::path> kept;
  if (!RenameWithoutReplacing(staging_, path_)) {
    if (own_files_ == nullptr) KeepUnderFreeName("was created meanwhile");
    Replacing replacing{InodeOf(staging_), {}};
    try {
      replacing.own_files = own_files_(path_);
    } catch (const Error& error) {
      KeepUnderFreeName("has changed meanwhile and " + error.problem());
    }
    WriteReplacing(container_, replacing);
    struct stat old = {};
    const bool known = stat(path_.c_str(), &old) == 0;
    if (!ExchangeNames(staging_, path_)) MoveAsideAndRename(container_, path_);
    committed_ = true;
    // The new folder gets the permissions of the old one.
    if (known) chmod(path_.c_str(), old.st_mode & 07777);
    SyncToDisk(parent);
    Retired retired = Retire(container_, path_, replacing);
    kept = std::move(retired.moved);
    if (!RemoveContainer(container_)) {
      throw Error("was replaced, but some of your files in the old folder could not be moved (" +
                      retired.problem + ")",
                  given_.string(),
                  fmt::format("They are in {}: move them from there.",
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
