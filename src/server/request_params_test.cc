// SPDX-License-Identifier: Apache-2.0
#include "server/request_params.h"

#include <gmock/gmock.h>

#include <array>

#include "server/message.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;

TEST(RequestParams, AValueIsFoundByItsName) {
  const RequestParams params = {{"row", "3"}, {"col", ""}};
  EXPECT_EQ(ParamValue(params, "row"), "3");
  EXPECT_EQ(ParamValue(params, "col"), "");
  EXPECT_EQ(ParamValue(params, "ro"), std::nullopt);
}

TEST(RequestParams, TwoValuesAreRefused) {
  const RequestParams params = {{"row", "3"}, {"col", "1"}, {"row", "3"}};
  EXPECT_EQ(ErrorOf([&] { return ParamValue(params, "row"); }), "'row' is given twice");
  EXPECT_EQ(ParamValue(params, "col"), "1");
}

TEST(RequestParams, UnknownNamesAreRefused) {
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
