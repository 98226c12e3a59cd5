// SPDX-License-Identifier: Apache-2.0
// Zip archives: mapped and inflated.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/mapped_file.h"
#include "formats/zip_directory.h"

namespace vggt {

// Inflates the whole of a deflated entry. `out` has its announced size. Throws Error if the data do
// not inflate to just that, or do not match the checksum; `where` names the entry.
void InflateEntry(const ZipEntry& entry, Bytes raw, std::span<uint8_t> out,
                  const std::string& where);
// At most the first `limit` bytes of a deflated entry, of which `raw` is at least the beginning:
// as many as it gives. Throws Error if they are damaged.
std::vector<uint8_t> InflateBeginning(Bytes raw, size_t limit, const std::string& where);

// An archive opened for reading.
class ZipReader {
 public:
  // Throws Error like MappedFile and ReadZipDirectory.
  explicit ZipReader(const std::filesystem::path& path);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* Find(const std::string& name) const;
  const MappedFile& file() const { return file_; }

  // The data of a stored entry, where they lie in the file; the checksum is not looked at.
  // Throws Error if the entry is deflated.
  Bytes Stored(const ZipEntry& entry) const;

  // The data, inflated and checked against the checksum. Throws Error if they are damaged or larger
  // than `limit`.
  std::vector<uint8_t> Read(const ZipEntry& entry, uint64_t limit) const;

 private:
  std::string Where(const ZipEntry& entry) const;

  MappedFile file_;
  std::vector<ZipEntry> entries_;
};

}  // namespace vggt
