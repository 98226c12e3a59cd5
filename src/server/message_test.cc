// SPDX-License-Identifier: Apache-2.0
#include "server/message.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

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

}  // namespace
}  // namespace vggt
