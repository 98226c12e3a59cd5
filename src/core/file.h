// SPDX-License-Identifier: Apache-2.0
// Files: read-only mappings, atomic writes, and a bounds-checked cursor over foreign bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>

namespace vggt {

using Bytes = std::span<const uint8_t>;

// A file mapped read-only. Movable; the mapping lives as long as the object.
// A file that another process truncates while it is mapped raises SIGBUS on access: not defended.
class MappedFile {
 public:
  MappedFile() = default;
  // Throws Error if `path` is missing, unreadable or not a regular file. An empty file maps to no
  // bytes.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  Bytes bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

  // Copies bytes [offset, offset + size) to `to`, past the mapping: pages of the mapping that were
  // not touched stay so, and a file that is shorter by now is an Error.
  void Read(size_t offset, size_t size, uint8_t* to) const;

  // Lets the operating system take back the memory of the pages wholly inside bytes
  // [offset, offset + size): they no longer count as resident and are read again on the next
  // access.
  void Release(size_t offset, size_t size) const;

 private:
  std::filesystem::path path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  int fd_ = -1;
};

// The whole file as bytes. Throws Error like MappedFile.
std::string ReadFile(const std::filesystem::path& path);

// Writes `bytes` under a temporary name beside `path`, then renames: readers see the old file or
// the whole new one. Throws Error (disk full, no permission); then nothing is left behind.
void WriteFileAtomic(const std::filesystem::path& path, Bytes bytes);
void WriteFileAtomic(const std::filesystem::path& path, const std::string& text);

// A file written front to back under a temporary name, renamed by Commit().
// Destroyed without Commit(): nothing is left behind.
class AtomicFile {
 public:
  // Throws Error if the file cannot be created, or if `path` is a folder, a device or the like.
  explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void Write(Bytes bytes);
  // Over what is already written at `offset`; the next Write still goes to the end.
  void WriteAt(uint64_t offset, Bytes bytes);
  void Commit();
  // For libraries that write a file by its name.
  const std::filesystem::path& temporary() const { return temporary_; }

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
};

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
