// SPDX-License-Identifier: Apache-2.0
#include "formats/csv.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(Csv, QuotesWhatWouldEndAField) {
  EXPECT_EQ(CsvField("kitchen -1"), "kitchen -1");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("a \"b\"\nc"), "\"a \"\"b\"\"\nc\"");
  EXPECT_EQ(CsvField(""), "");
}

TEST(Csv, NamesAreNothingToCompute) {
  for (const char first : {'=', '+', '-', '@'}) {
    EXPECT_EQ(CsvName(std::string(1, first) + "1"), std::string("./") + first + "1");
  }
  EXPECT_EQ(CsvName("=a,b"), "\"./=a,b\"");
  EXPECT_EQ(CsvName("a=1"), "a=1");
}

}  // namespace
}  // namespace vggt
