// SPDX-License-Identifier: Apache-2.0
#include "server/answer_form.h"

#include <gtest/gtest.h>

#include <cstring>

#include "formats/npy.h"
#include "testing.h"

namespace vggt {
namespace {

const std::vector<double> kNumbers = {1, 2, 3, 4, 5, 6};

TEST(AnswerForm, NumbersByLayerAndHeadInJson) {
  EXPECT_EQ(PerHeadJson(kNumbers, 2).dump(), "[[1.0,2.0,3.0],[4.0,5.0,6.0]]");
  EXPECT_EQ(PerHeadJson(kNumbers, 6).dump(), "[[1.0],[2.0],[3.0],[4.0],[5.0],[6.0]]");
}

TEST(AnswerForm, NumbersBehindABody) {
  std::string body = "before";
  AppendNpy(kNumbers, {3, 2}, body);
  EXPECT_TRUE(body.starts_with("before"));
  const NpyArray array = ParseNpy(testing::AsBytes(body).subspan(6), "numbers");
  EXPECT_EQ(array.descr, "<f8");
  EXPECT_EQ(array.shape, (Shape{3, 2}));
  std::vector<double> read(6);
  std::memcpy(read.data(), array.data.data(), array.data.size());
  EXPECT_EQ(read, kNumbers);
}

}  // namespace
}  // namespace vggt
