// SPDX-License-Identifier: Apache-2.0
// Reads zip archives through a mapping, and inflates their entries.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/mapped_file.h"
#include "formats/zip_directory.h"

namespace vggt {

// Inflates the whole of a deflated entry. `out` has the size that the entry announces. Throws Error
// if the data inflate to another size or do not match the checksum. `where` names the entry.
void InflateEntry(const ZipEntry& entry, Bytes raw, std::span<uint8_t> out,
                  const std::string& where);
// Inflates the beginning of a deflated entry: at most `limit` bytes, and fewer if `raw`, which need
// not be the whole entry, gives no more. Throws Error if the data are damaged.
std::vector<uint8_t> InflateBeginning(Bytes raw, size_t limit, const std::string& where);

// An archive opened for reading.
class ZipReader {
 public:
  // Throws Error like MappedFile and ReadZipDirectory.
  explicit ZipReader(const std::filesystem::path& path);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* Find(const std::string& name) const;
  const MappedFile& file() const { return file_; }

  // The data of a stored entry, where they lie in the mapping. Does not verify the checksum. Throws
  // Error if the entry is deflated.
  Bytes Stored(const ZipEntry& entry) const;

  // The data of an entry, inflated if need be, and verified by the checksum. Throws Error if they
  // are damaged, or larger than `limit`.
  std::vector<uint8_t> Read(const ZipEntry& entry, uint64_t limit) const;

 private:
  std::string Where(const ZipEntry& entry) const;

  MappedFile file_;
  std::vector<ZipEntry> entries_;
};

}  // namespace vggt
