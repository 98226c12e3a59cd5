// SPDX-License-Identifier: Apache-2.0
#include "store/maps/scratch_file.h"

#include <gmock/gmock.h>

#include <numeric>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(ScratchFile, HasNoName) {
  const TestDir dir;
  const File file = MakeScratchFile(dir.path(), 10'000, [](std::span<uint8_t> bytes) {
    std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  });
  EXPECT_TRUE(dir.empty());
  EXPECT_EQ(file.size(), 10'000U);
  std::vector<uint8_t> out(3);
  file.Read(256 * 30 + 'a', out);
  EXPECT_EQ(std::string(out.begin(), out.end()), "abc");
}

TEST(ScratchFile, NoSpaceIsSaidBeforeAnythingIsWritten) {
  const TestDir dir;
  bool filled = false;
  const auto fill = [&](std::span<uint8_t>) { filled = true; };
  // More than any disk has, or than any of its files can have.
  EXPECT_THAT(ErrorOf([&] { MakeScratchFile(dir.path(), uint64_t{1} << 60, fill); }),
              HasSubstr("has no space for 1153 PB"));
  EXPECT_THAT(ErrorOf([&] { MakeScratchFile(dir / "gone", 1, fill); }),
              HasSubstr("cannot create a temporary file"));
  EXPECT_FALSE(filled);
}

}  // namespace
}  // namespace vggt
