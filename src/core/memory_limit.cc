// SPDX-License-Identifier: Apache-2.0
#include "core/memory_limit.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace vggt {
namespace fs = std::filesystem;
namespace {

// Lowers `limit` to the number in `file`. Does nothing if there is no file or it holds no number
// ("max").
void Lower(const fs::path& file, uint64_t& limit) {
  uint64_t number = 0;
  if (std::ifstream(file) >> number) limit = std::min(limit, number);
}

}  // namespace

uint64_t MemoryLimit(const fs::path& root) {
  uint64_t limit =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // "0::/user.slice/a" (version 2) or "4:memory:/docker/b" (version 1).
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool version_1 = controllers.find(",memory,") != std::string::npos;
    if (!version_1 && controllers != ",,") continue;
    const fs::path mount = root / (version_1 ? "sys/fs/cgroup/memory" : "sys/fs/cgroup");
    const char* file = version_1 ? "memory.limit_in_bytes" : "memory.max";
    // The limits of all parent groups apply. In a container the path may be the host's; then the
    // mount itself is the container's group.
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    Lower(mount / file, limit);
    for (; !group.empty(); group = group.parent_path()) Lower(mount / group / file, limit);
  }
  return limit;
}

uint64_t AddressSpaceLeft() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  uint64_t pages = 0;
  if (!(std::ifstream("/proc/self/statm") >> pages)) return UINT64_MAX;
  const uint64_t taken = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return limit.rlim_cur > taken ? limit.rlim_cur - taken : 0;
}

}  // namespace vggt
