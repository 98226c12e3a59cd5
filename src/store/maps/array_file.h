// SPDX-License-Identifier: Apache-2.0
// One array in a .npy or .npz file, whose values are read in parts.
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
  // Opens the array called `name` of an .npz, or its only array, or the array of a .npy. Reads the
  // header, but no values. Throws Error if the header is damaged, if the file is too small for the
  // values that it announces, or if the archive holds several arrays and none is called `name`.
  ArrayFile(const std::filesystem::path& path, const std::string& name);

  const NpyLayout& layout() const { return layout_; }
  const std::filesystem::path& path() const { return file_.path(); }
  // The size of all values in bytes.
  uint64_t data_size() const { return NpyDataSize(layout_); }

  // Whether the values are deflated. If so, Read throws Error: use Inflated() first.
  bool deflated() const { return !entry_.stored; }
  // Where in path() the values begin, for those who map it; of values that are not deflated.
  uint64_t data_offset() const { return entry_.offset + layout_.data; }
  // The same array, inflated into a file without a name in `folder`. The deflated bytes are in
  // memory meanwhile. Throws Error if they are damaged or do not match their checksum, or if there
  // is no space.
  ArrayFile Inflated(const std::filesystem::path& folder) const;

  // Fills `out` with the values' bytes from `offset` on. Throws Error if the file was truncated
  // since it was opened. Does not verify the CRC-32 of entries that are not deflated, because that
  // would need the whole array.
  void Read(uint64_t offset, std::span<uint8_t> out) const;

 private:
  ArrayFile() = default;

  File file_;
  ZipEntry entry_;  // a whole .npy file counts as a stored entry
  std::string source_;
  NpyLayout layout_;
};

}  // namespace vggt
