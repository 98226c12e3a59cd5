// SPDX-License-Identifier: Apache-2.0
#include "core/memory_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

class MemoryLimitTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    fs::create_directories((dir_ / name).parent_path());
    dir_.Write(name, text);
  }

  testing::TestDir dir_;
  const uint64_t machine_ =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
};

TEST_F(MemoryLimitTest, IsTheMachinesWithoutGroups) {
  EXPECT_EQ(MemoryLimit(dir_.path()), machine_);
  EXPECT_GT(MemoryLimit(), 0U);
  EXPECT_LE(MemoryLimit(), machine_);
}

TEST_F(MemoryLimitTest, TheTightestGroupOfVersion2Counts) {
  Write("proc/self/cgroup", "0::/a.slice/b.scope\n");
  Write("sys/fs/cgroup/a.slice/b.scope/memory.max", "max\n");
  EXPECT_EQ(MemoryLimit(dir_.path()), machine_);
  Write("sys/fs/cgroup/a.slice/memory.max", "2000000\n");
  EXPECT_EQ(MemoryLimit(dir_.path()), 2'000'000U);
  Write("sys/fs/cgroup/a.slice/b.scope/memory.max", "3000000\n");
  EXPECT_EQ(MemoryLimit(dir_.path()), 2'000'000U);
  Write("sys/fs/cgroup/memory.max", "1000000\n");
  EXPECT_EQ(MemoryLimit(dir_.path()), 1'000'000U);
}

TEST_F(MemoryLimitTest, OfVersion1TheMemoryControllerCounts) {
  Write("proc/self/cgroup", "5:cpu,cpuacct:/c\n4:memory:/docker/x\n\nnonsense\n");
  Write("sys/fs/cgroup/c/memory.max", "1\n");
  Write("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "5000000\n");
  EXPECT_EQ(MemoryLimit(dir_.path()), 5'000'000U);
  // In a container the path may be the host's.
  fs::remove_all(dir_ / "sys/fs/cgroup/memory/docker");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "6000000\n");
  EXPECT_EQ(MemoryLimit(dir_.path()), 6'000'000U);
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // no limit
  EXPECT_EQ(MemoryLimit(dir_.path()), machine_);
}

TEST(AddressSpaceLeft, IsWhatTheLimitLeaves) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  if (before.rlim_cur == RLIM_INFINITY) {
    EXPECT_EQ(AddressSpaceLeft(), UINT64_MAX);
  }
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const uint64_t taken = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  constexpr uint64_t kMore = uint64_t{1} << 30, kSlack = uint64_t{64} << 20;
  rlimit limit = before;
  limit.rlim_cur = taken + kMore;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  const uint64_t left = AddressSpaceLeft();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_GE(left, kMore - kSlack);
  EXPECT_LE(left, kMore + kSlack);
}

}  // namespace
}  // namespace vggt
