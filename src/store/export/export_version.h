// SPDX-License-Identifier: Apache-2.0
// Whether an export on disk is still the one that was opened.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "core/file.h"
#include "store/export/export_reader.h"

namespace vggt {

struct DescribingFile {
  std::filesystem::path path;
  FileIdentity identity;  // when it was read
};

// The files that tell what an export is. Of many layers the first stands for all: an export is
// replaced as a whole.
std::vector<DescribingFile> DescribingFiles(const Export& described);

// Whether other files have taken the place of these. What has gone has not: it is answered from
// what is open.
bool AreReplaced(std::span<const DescribingFile> files);

}  // namespace vggt
