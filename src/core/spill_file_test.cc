// SPDX-License-Identifier: Apache-2.0
#include "core/spill_file.h"

#include <gmock/gmock.h>

#include <vector>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::TestDir;

TEST(SpillFile, GivesBackWhatWasWrittenAndLeavesNothing) {
  const TestDir dir;
  SpillFile file(dir.path());
  EXPECT_TRUE(dir.empty());
  file.Write(3, std::vector<uint8_t>{4, 5, 6});
  file.Write(0, std::vector<uint8_t>{1, 2, 3});
  std::vector<uint8_t> read(4);
  file.Read(1, read);
  EXPECT_THAT(read, ::testing::ElementsAre(2, 3, 4, 5));
  EXPECT_TRUE(dir.empty());
}

TEST(SpillFile, WhatWasNeverWrittenIsAnError) {
  const TestDir dir;
  SpillFile file(dir.path());
  file.Write(0, std::vector<uint8_t>{1, 2, 3});
  std::vector<uint8_t> read(4);
  EXPECT_THAT(ErrorOf([&] { file.Read(0, read); }), ::testing::HasSubstr("ends before"));
}

TEST(SpillFile, WithoutAFolderThereIsNone) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { SpillFile(dir / "missing"); }),
              ::testing::HasSubstr("cannot create a temporary file"));
}

}  // namespace
}  // namespace vggt
