// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_version.h"

#include <algorithm>

#include "store/common/export_folder.h"

namespace vggt {

namespace fs = std::filesystem;

std::vector<DescribingFile> DescribingFiles(const Export& described) {
  std::vector<fs::path> paths = {described.folder / kManifestName};
  if (!described.maps.empty() && !IdentityOf(paths[0])) paths[0] = described.maps[0].metadata_file;
  if (described.store) paths.push_back(described.store->file);
  std::vector<DescribingFile> files;
  for (const fs::path& path : paths) {
    if (const auto identity = IdentityOf(path)) files.push_back({path, *identity});
  }
  return files;
}

bool AreReplaced(std::span<const DescribingFile> files) {
  return std::ranges::any_of(files, [](const DescribingFile& file) {
    const auto now = IdentityOf(file.path);
    return now && *now != file.identity;
  });
}

}  // namespace vggt
