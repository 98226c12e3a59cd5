// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::HasSubstr;

TEST(Terminal, HumanSeconds) {
  EXPECT_EQ(HumanSeconds(0), "0 s");
  EXPECT_EQ(HumanSeconds(1.26), "1.3 s");
  EXPECT_EQ(HumanSeconds(42.4), "42 s");
  EXPECT_EQ(HumanSeconds(125), "2 min 05 s");
  EXPECT_EQ(HumanSeconds(59.7), "1 min 00 s");
  EXPECT_EQ(HumanSeconds(4325), "1 h 12 min");
}

// Under a test stderr is a file: plain lines, no escape sequences.
TEST(Terminal, PlainLinesWithoutATerminal) {
  ::testing::internal::CaptureStderr();
  {
    ProgressDisplay display(false);
    display.Note("using the bundled model; `weights` names another");
    display.Begin("loading weights");
    display.Update(0.5, "block 3 of 6");
    display.End();
  }
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text,
              HasSubstr("using the bundled model; --weights names another\nloading weights\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("\x1b")));
}

TEST(Terminal, QuietIsSilent) {
  ::testing::internal::CaptureStderr();
  ProgressDisplay display(true);
  display.Note("a");
  display.Begin("b");
  display.Update(1, "c");
  display.End();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace vggt
