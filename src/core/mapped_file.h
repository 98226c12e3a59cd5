// SPDX-License-Identifier: Apache-2.0
// Files mapped into memory that others may change or truncate meanwhile.
#pragma once

#include <filesystem>

#include "core/file.h"

namespace vggt {

// A file mapped read-only: for weights, and for stored queries and keys, which are read in large
// parts and again and again. Everything else is read through core/file.h. Movable; the mapping
// lives as long as the object.
//
// A mapped file may be truncated by another process, or its disk may fail. Pages that cannot be
// read then hold zeros, instead of ending the process with SIGBUS, and CheckIntact() throws: call
// it when the bytes have been read, before the results are used. For this the first mapping
// installs a handler of SIGBUS, which passes faults at other addresses on to the handler before it.
class MappedFile {
 public:
  MappedFile() = default;
  // Throws MissingFile (core/error.h), or Error if `path` is unreadable or not a regular file. An
  // empty file maps to no bytes.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  Bytes bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return file_.path(); }

  // Throws Error if the file was written to or truncated since it was opened, or if some of its
  // bytes could not be read.
  void CheckIntact() const;

  // Whether path() still names this very file, and nobody has written to it since.
  bool IsCurrent() const { return file_.IsCurrent(); }

  // Copies bytes [offset, offset + size) to `to`, past the mapping: pages of the mapping that were
  // not touched stay so. Throws Error if the file is shorter by now.
  void Read(size_t offset, size_t size, uint8_t* to) const { file_.Read(offset, {to, size}); }

  // Lets the operating system take back the memory of the pages wholly inside bytes
  // [offset, offset + size): they no longer count as resident and are read again on the next
  // access.
  void Release(size_t offset, size_t size) const;

 private:
  struct Watch;

  File file_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  Watch* watch_ = nullptr;
};

}  // namespace vggt
