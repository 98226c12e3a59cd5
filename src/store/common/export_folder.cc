// SPDX-License-Identifier: Apache-2.0
#include "store/common/export_folder.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::vector<std::string> ImageNames(const std::vector<std::string>& extensions) {
  const int digits = extensions.size() > 99 ? 3 : 2;
  std::vector<std::string> names;
  for (const std::string& extension : extensions) {
    names.push_back(
        fmt::format("../images/frame_{:0{}}{}", names.size(), digits, Lower(extension)));
  }
  return names;
}

void CreateDirectory(const fs::path& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) ThrowSystemError(failed.value(), "cannot create", path.string());
}

void WriteImage(const fs::path& folder, const std::string& name, Bytes file) {
  const fs::path path = (folder / "attn_maps" / name).lexically_normal();
  CreateDirectory(path.parent_path());
  WriteFileAtomic(path, file, {.sync = Sync::kLater});
}

uint64_t FolderBytes(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code vanished;
    if (it->is_regular_file(vanished)) bytes += it->file_size(vanished);
  }
  if (failed) ThrowSystemError(failed.value(), "cannot list", folder.string());
  return bytes;
}

}  // namespace vggt
