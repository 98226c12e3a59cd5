// SPDX-License-Identifier: Apache-2.0
// The directory at the end of a zip archive, zip64 too:
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3.
// Read here because minizip 1.1 misreads sizes and offsets beyond 4 GB, and PyTorch's files have
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"

namespace vggt {

// The id of an extra field that holds what 32 bits cannot.
constexpr uint16_t kZip64Field = 1;

struct ZipEntry {
  std::string name;
  bool stored = false;  // otherwise deflated
  uint32_t crc = 0;
  uint64_t compressed_size = 0, size = 0;
  uint64_t offset = 0;  // of the data in the file
};

// Fills `out` with a file's bytes from `offset` on, which are there; throws Error.
using ReadBytes = std::function<void(uint64_t offset, std::span<uint8_t> out)>;

// The entries, in the order of the directory. Throws Error naming `source` if the archive is
// damaged or none, an entry is encrypted or of another method than stored and deflated, lies
// outside the file, shares bytes with another, or has a name that is there twice or leads
// elsewhere.
std::vector<ZipEntry> ReadZipDirectory(Bytes bytes, const std::string& source);
// The same of a file of `size` bytes, of which only directory and headers are read.
std::vector<ZipEntry> ReadZipDirectory(uint64_t size, const ReadBytes& read,
                                       const std::string& source);

}  // namespace vggt
