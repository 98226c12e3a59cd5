// SPDX-License-Identifier: Apache-2.0
#include "cli/program_file.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

// This test is the program .../bin/x, or .../src/cli/cli_tests in the folder of the build.
TEST(ProgramFile, IsLookedForBesideTheFolderOfTheProgram) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  const auto above = program.parent_path().parent_path();
  EXPECT_THAT(InstalledPlaces("a/b"),
              testing::ElementsAre(above / "a/b", above / "share/vggt-attn/a/b"));
}

}  // namespace
}  // namespace vggt
