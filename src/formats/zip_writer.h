// SPDX-License-Identifier: Apache-2.0
// Writes zip archives, zip64 where they need it:
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"

namespace vggt {

struct ZipInput {
  std::string name;
  std::vector<Bytes> parts;  // the data, in order
};

// Writes an archive of these entries, all stored or all deflated, on all threads, at once
// (core/file.h); readers see the whole file or none. The same input gives the same bytes; data
// begin at multiples of 64 bytes, ready to be mapped. Throws Error (disk full, …).
void WriteZip(const std::filesystem::path& path, std::span<const ZipInput> entries, bool compress,
              AtomicOptions options = {});

}  // namespace vggt
