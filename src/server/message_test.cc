// SPDX-License-Identifier: Apache-2.0
#include "server/message.h"

#include <gtest/gtest.h>

#include <array>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;

TEST(Message, ARefusalIsAnErrorWithAStatus) {
  try {
    throw Refusal(404, "there is no such address", "/api/x", "Look again.");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "/api/x: there is no such address. Look again.");
    const auto* refusal = dynamic_cast<const Refusal*>(&error);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->status(), 404);
  }
}

TEST(Message, AValueIsFoundByItsName) {
  const RequestParams params = {{"row", "3"}, {"col", ""}};
  EXPECT_EQ(ParamValue(params, "row"), "3");
  EXPECT_EQ(ParamValue(params, "col"), "");
  EXPECT_EQ(ParamValue(params, "ro"), std::nullopt);
}

TEST(Message, TwoValuesAreRefused) {
  const RequestParams params = {{"row", "3"}, {"col", "1"}, {"row", "3"}};
  EXPECT_EQ(ErrorOf([&] { return ParamValue(params, "row"); }), "'row' is given twice");
  EXPECT_EQ(ParamValue(params, "col"), "1");
}

TEST(Message, UnknownNamesAreRefused) {
  constexpr std::array<std::string_view, 2> kKnown = {"row", "col"};
  CheckNames({{"col", "1"}, {"row", "x"}}, kKnown);
  CheckNames({}, kKnown);
  try {
    CheckNames({{"row", "1"}, {"c\x1bol", "1"}}, kKnown);
    ADD_FAILURE() << "was accepted";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), 400);
    EXPECT_STREQ(refusal.what(), "'c?ol' is unknown. Known are row, col.");
  }
}

}  // namespace
}  // namespace vggt
