// SPDX-License-Identifier: Apache-2.0
// Reads the directory at the end of a zip archive, zip64 too:
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3.
// This is our own code because it tells at which byte of the file an entry's data begin, so that
// they can be mapped or read in parts. Zip libraries hide that.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"

namespace vggt {

// The id of the extra field that holds those sizes and offsets that do not fit 32 bits.
constexpr uint16_t kZip64Field = 1;

struct ZipEntry {
  std::string name;
  bool stored = false;  // otherwise deflated
  uint32_t crc = 0;
  uint64_t compressed_size = 0, size = 0;
  uint64_t offset = 0;  // of the data in the file
};

// Fills `out` with a file's bytes from `offset` on. It is only asked for bytes that the file has.
// Throws Error.
using ReadBytes = std::function<void(uint64_t offset, std::span<uint8_t> out)>;

// The entries, in the order of the directory. Throws Error naming `source` if the bytes are no
// archive or a damaged one. Also refuses entries that are encrypted, neither stored nor deflated,
// that lie outside the file or share bytes with another, and names that are there twice or that
// lead out of a folder.
std::vector<ZipEntry> ReadZipDirectory(Bytes bytes, const std::string& source);
// The same for a file of `size` bytes, of which only the directory and the headers are read.
std::vector<ZipEntry> ReadZipDirectory(uint64_t size, const ReadBytes& read,
                                       const std::string& source);

}  // namespace vggt
