// SPDX-License-Identifier: Apache-2.0
#include "cli/program_file.h"

#include <dlfcn.h>
#include <link.h>

namespace vggt {

namespace fs = std::filesystem;

std::vector<fs::path> InstalledPlaces(const fs::path& below) {
  // The loader names every file but the program itself.
  Dl_info info = {};
  void* found = nullptr;
  const auto* here = reinterpret_cast<const void*>(&InstalledPlaces);
  if (dladdr1(here, &info, &found, RTLD_DL_LINKMAP) != 0 && found != nullptr) {
    const fs::path module = static_cast<const link_map*>(found)->l_name;
    if (!module.empty()) return {module.parent_path() / below};
  }
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path();
  return {folder / below, folder / "share/vggt-attn" / below};
}

}  // namespace vggt
