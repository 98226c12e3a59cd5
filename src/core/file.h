// SPDX-License-Identifier: Apache-2.0
// Files read and written whole, and a bounds-checked cursor over foreign bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>

namespace vggt {

using Bytes = std::span<const uint8_t>;

// Valid as long as `text`.
inline Bytes BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The whole file. Throws MissingFile, or Error if it is unreadable, not a regular file, or becomes
// shorter meanwhile.
std::string ReadFile(const std::filesystem::path& path);

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

// Reads little-endian values front to back out of bytes it does not trust. Every read is checked
// against what is left and throws Error naming the source, the byte and what was wanted.
class Cursor {
 public:
  Cursor(Bytes bytes, std::string source) : bytes_(bytes), source_(std::move(source)) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  // The next `size` bytes; `what` names them in the error.
  Bytes Take(size_t size, const char* what);

  template <typename T>
  T Read(const char* what) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, Take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  // Throws Error at the current byte.
  [[noreturn]] void Fail(const std::string& problem, const std::string& hint = "") const;

 private:
  Bytes bytes_;
  std::string source_;
  size_t position_ = 0;
};

}  // namespace vggt
