// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace vggt {
namespace {

TEST(Error, JoinsWhereWhatAndHint) {
  const Error e("expected 3 values, found 2", "a.npy, byte 10", "Export it again.");
  EXPECT_STREQ(e.what(), "a.npy, byte 10: expected 3 values, found 2. Export it again.");
  EXPECT_EQ(e.problem(), "expected 3 values, found 2");
  EXPECT_EQ(e.where(), "a.npy, byte 10");
  EXPECT_EQ(e.hint(), "Export it again.");
  EXPECT_STREQ(Error("no frames").what(), "no frames");
  EXPECT_STREQ(Error("no such file", "a\x1b\nb").what(), "a??b: no such file");
}

TEST(Error, SystemErrorNamesFileAndReason) {
  try {
    ThrowSystemError(ENOSPC, "cannot write", "/full/file");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.where(), "/full/file");
    EXPECT_EQ(e.problem(), "cannot write: No space left on device");
    EXPECT_NE(e.hint().find("free space"), std::string::npos);
  }
}

TEST(Error, HumanBytes) {
  EXPECT_EQ(HumanBytes(812), "812 B");
  EXPECT_EQ(HumanBytes(1300), "1.30 kB");
  EXPECT_EQ(HumanBytes(5026367224.0), "5.03 GB");
  EXPECT_EQ(HumanBytes(64e6), "64.0 MB");
  EXPECT_EQ(HumanBytes(999.6e3), "1.00 MB");
}

TEST(Error, PrintableHidesControlCharactersAndBrokenUtf8) {
  EXPECT_EQ(Printable("weights é\x1b[31m\n\xff"), "weights é?[31m??");
  EXPECT_EQ(Printable("a\xC2\x9B"
                      "31mb\xC2\x80\xC2\xA0"),
            "a?31mb?\xC2\xA0");
  EXPECT_EQ(Printable("abcdef", 3), "abc…");
}

}  // namespace
}  // namespace vggt
