// SPDX-License-Identifier: Apache-2.0
// Files that are read by pieces or whole, and files that are written in one step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "core/bytes.h"
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

// Whether `name` can only name a file in the folder that it is looked up in: it is neither empty
// nor "." or "..", and holds no slash, backslash or NUL.
bool IsBareName(const std::string& name);

// Which file a name stood for, and in which state: two are equal only if it is the same file and
// nobody has written to it in between.
struct FileIdentity {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t seconds = 0, nanoseconds = 0;  // when it was last written to

  bool operator==(const FileIdentity&) const = default;
};

// Of whatever `path` names now; none if there is nothing, or if it cannot be looked at.
std::optional<FileIdentity> IdentityOf(const std::filesystem::path& path);

// A regular file opened for reading, piece by piece. If others truncate it meanwhile, that is an
// Error. Movable; any number of threads may read at the same time.
class File {
 public:
  File() = default;
  // Throws MissingFile, or Error if `path` is unreadable or not a regular file. With a `root`,
  // throws OutsideRoot like CheckInside.
  explicit File(const std::filesystem::path& path, const std::filesystem::path& root = {});
  // Takes over an open file, which errors call `path`.
  File(int fd, std::filesystem::path path);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  const std::filesystem::path& path() const { return path_; }
  int fd() const { return fd_; }
  // When it was opened.
  const FileIdentity& identity() const { return identity_; }
  uint64_t size() const { return identity_.size; }

  // Fills `out` with the bytes from `offset` on. Throws Error if there are fewer.
  void Read(uint64_t offset, std::span<uint8_t> out) const;

  // Whether nobody has written to the file, or truncated it, since it was opened.
  bool IsUnchanged() const;
  // Whether, besides, path() still names this very file.
  bool IsCurrent() const;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  FileIdentity identity_;
};

// The whole file. Throws Error like File, and if it is larger than `limit` bytes.
std::string ReadFile(const std::filesystem::path& path,
                     uint64_t limit = std::numeric_limits<uint64_t>::max());

// Whether a file may take the place of one that has its name.
enum class Existing { kReplace, kRefuse };

// What survives a power cut. kNow: Commit() returns when the data are on the disk, and their name.
// kLater: for files in a folder that is synced as a whole before it gets its name
// (core/staged_directory.h); the system only begins to write.
enum class Sync { kNow, kLater };

struct AtomicOptions {
  Existing existing = Existing::kReplace;
  Sync sync = Sync::kNow;
};

// A file written front to back that gets its name in Commit(), in one step: readers see the old
// file or the whole new one, whenever the process or the machine stops. Until then it has no name,
// so that nothing is left behind, even by SIGKILL; file systems without such files (NFS, FAT) have
// a hidden one instead, which SIGKILL leaves.
class AtomicFile {
 public:
  // Throws Error if the file cannot be created, or if `path` is a folder, a device or the like.
  explicit AtomicFile(const std::filesystem::path& path, AtomicOptions options = {});
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void Write(Bytes bytes);
  // Over what is already written at `offset`; the next Write still goes to the end.
  void WriteAt(uint64_t offset, Bytes bytes);
  // Throws Error if the data cannot be written, or if there is a file that may not be replaced.
  void Commit();

 private:
  void GiveName();

  std::filesystem::path path_, temporary_;  // temporary_: empty while the file has no name
  AtomicOptions options_;
  int fd_ = -1;
};

// The same at once.
void WriteFileAtomic(const std::filesystem::path& path, Bytes bytes, AtomicOptions options = {});
void WriteFileAtomic(const std::filesystem::path& path, const std::string& text,
                     AtomicOptions options = {});

}  // namespace vggt
