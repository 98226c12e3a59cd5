// SPDX-License-Identifier: Apache-2.0
// One array in a .npy or .npz file, of which only the wanted values are read.
#pragma once

#include <filesystem>
#include <string>

#include "core/file.h"
#include "formats/npy.h"
#include "formats/zip_directory.h"

namespace vggt {

// Movable; any number of threads may read at the same time.
class ArrayFile {
 public:
  // In an .npz: the array of this name, or the only one. Reads what describes the array, no values.
  // Throws Error if that is damaged, if the file is too small for the values that it announces, or
  // if the archive holds several arrays of other names.
  ArrayFile(const std::filesystem::path& path, const std::string& name);

  const NpyLayout& layout() const { return layout_; }
  const std::filesystem::path& path() const { return file_.path(); }
  // Bytes of all values.
  uint64_t data_size() const { return NpyDataSize(layout_); }

  // Whether the values are deflated: Read is then an error.
  bool deflated() const { return !entry_.stored; }
  // The array in a file that has no name, in `folder`. Keeps the deflated bytes in memory
  // meanwhile. Throws Error if they are damaged or do not match their checksum, or if there is no
  // space.
  ArrayFile Inflated(const std::filesystem::path& folder) const;

  // Bytes of the values from `offset` on. Throws Error if the file was truncated since. A stored
  // entry's checksum, which is that of all values, is not looked at.
  void Read(uint64_t offset, std::span<uint8_t> out) const;

 private:
  ArrayFile() = default;

  File file_;
  ZipEntry entry_;  // a whole .npy file counts as a stored entry
  std::string source_;
  NpyLayout layout_;
};

}  // namespace vggt
