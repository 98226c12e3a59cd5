// SPDX-License-Identifier: Apache-2.0
#include "capture/recovery.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/staged_directory.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TestDir;

void LeaveOne(const std::filesystem::path& path) {
  const pid_t child = fork();
  if (child == 0) {
    StagedDirectory staged(path);
    WriteFileAtomic(staged.staging() / "a", std::string(2000, 'x'));
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
}

TEST(Recovery, SaysInOneLineWhatItDid) {
  const TestDir dir;
  std::filesystem::create_directories(dir / "exports/mine");
  EXPECT_EQ(RecoverExports(dir / "exports/mine"), "");
  LeaveOne(dir / "exports/other");
  EXPECT_THAT(RecoverExports(dir / "exports/mine/"),
              AllOf(HasSubstr("removed what killed commands had left: "),
                    HasSubstr("exports/.other.partial-"), HasSubstr("(2.04 kB)")));
  LeaveOne(dir / "exports/other");  // in the folder itself
  EXPECT_THAT(RecoverExports(dir / "exports"), HasSubstr("exports/.other.partial-"));
  std::filesystem::create_directories(dir / "exports/.old.partial-abcdef/attn_maps");
  EXPECT_THAT(RecoverExports(dir / "exports"), HasSubstr("left alone"));
  EXPECT_TRUE(std::filesystem::exists(dir / "exports/.old.partial-abcdef/attn_maps"));
  EXPECT_EQ(RecoverExports(dir / "gone/missing"), "");
}

}  // namespace
}  // namespace vggt
