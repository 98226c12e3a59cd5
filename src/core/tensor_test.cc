// SPDX-License-Identifier: Apache-2.0
#include "core/tensor.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

TEST(Tensor, ElementsAndText) {
  EXPECT_EQ(NumElements({}), 1);
  EXPECT_EQ(NumElements({3, 0, 7}), 0);
  EXPECT_EQ(ShapeText({5, 930, 1024}), "[5, 930, 1024]");
  EXPECT_THAT(ErrorOf([] { NumElements({1LL << 40, 1LL << 40}); }), HasSubstr("impossible shape"));
  EXPECT_THAT(ErrorOf([] { NumElements({-1}); }), HasSubstr("impossible shape [-1]"));
}

TEST(Tensor, EveryF16SurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = F16ToF32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(F16ToF32(F32ToF16(value))));
    } else {
      EXPECT_EQ(F32ToF16(value), bits);
    }
  }
}

TEST(Tensor, F16KnownValuesAndTies) {
  EXPECT_EQ(F16ToF32(0x3C00), 1.0F);
  EXPECT_EQ(F16ToF32(0x0001), 0x1p-24F);
  EXPECT_EQ(F16ToF32(0x7BFF), 65504.0F);
  EXPECT_EQ(F32ToF16(65519.0F), 0x7BFF);
  EXPECT_EQ(F32ToF16(65520.0F), 0x7C00);
  EXPECT_EQ(F32ToF16(1.0F + 0x1p-11F), 0x3C00);      // a tie: to even
  EXPECT_EQ(F32ToF16(1.0F + 3 * 0x1p-11F), 0x3C02);  // a tie: to even
  EXPECT_EQ(F32ToF16(0x1p-25F), 0);
  EXPECT_EQ(F32ToF16(-std::numeric_limits<float>::infinity()), 0xFC00);
}

TEST(Tensor, BF16RoundsToEven) {
  EXPECT_EQ(F32ToBF16(1.0F), 0x3F80);
  EXPECT_EQ(F32ToBF16(std::bit_cast<float>(0x3F808000U)), 0x3F80);
  EXPECT_EQ(F32ToBF16(std::bit_cast<float>(0x3F818000U)), 0x3F82);
  EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(std::bit_cast<float>(0x7F800001U)))));
  EXPECT_EQ(BF16ToF32(0xC000), -2.0F);
}

TEST(Tensor, CopiesEveryDTypeAndStride) {
  const float values[6] = {1, 2, 3, 4, 5, 6};
  const Bytes f32(reinterpret_cast<const uint8_t*>(values), sizeof(values));
  float out[6];
  CopyToF32({DType::kF32, {2, 3}, {}, f32}, out);
  EXPECT_THAT(out, ElementsAre(1, 2, 3, 4, 5, 6));
  CopyToF32({DType::kF32, {3, 2}, {1, 3}, f32}, out);  // transposed
  EXPECT_THAT(out, ElementsAre(1, 4, 2, 5, 3, 6));
  CopyToF32({DType::kF32, {2, 3}, {0, 1}, f32}, out);  // broadcast
  EXPECT_THAT(out, ElementsAre(1, 2, 3, 1, 2, 3));

  const uint16_t half[2] = {0x3C00, 0xC000}, brain[2] = {0x3F80, 0xC000};
  const double wide[2] = {1, -2};
  const auto view = [](DType dtype, const auto& a) {
    return TensorView{dtype, {2}, {}, Bytes(reinterpret_cast<const uint8_t*>(a), sizeof(a))};
  };
  for (const TensorView& v :
       {view(DType::kF16, half), view(DType::kBF16, brain), view(DType::kF64, wide)}) {
    float two[2];
    CopyToF32(v, two);
    EXPECT_THAT(two, ElementsAre(1, -2)) << DTypeName(v.dtype);
  }
}

TEST(Tensor, Rows) {
  const float values[6] = {1, 2, 3, 4, 5, 6};
  const Bytes bytes(reinterpret_cast<const uint8_t*>(values), sizeof(values));
  float out[4];
  CopyToF32(RowsOf({DType::kF32, {3, 2}, {}, bytes}, 1, 2), out);
  EXPECT_THAT(out, ElementsAre(3, 4, 5, 6));
  CopyToF32(RowsOf({DType::kF32, {3, 2}, {1, 3}, bytes}, 1, 2), out);  // transposed
  EXPECT_THAT(out, ElementsAre(2, 5, 3, 6));
  EXPECT_THAT(ErrorOf([&] {
                CopyToF32(RowsOf({DType::kF32, {9, 2}, {}, bytes}, 7, 2), out);
              }),
              HasSubstr("reaches past"));
}

TEST(Tensor, RefusesToReadPastTheBytes) {
  const uint8_t bytes[12] = {};
  float out[6];
  EXPECT_THAT(ErrorOf([&] {
                CopyToF32({DType::kF32, {4}, {}, bytes}, out);
              }),
              HasSubstr("a tensor of shape [4] reaches past its 12 bytes"));
  EXPECT_THAT(ErrorOf([&] {
                CopyToF32({DType::kF32, {2, 2}, {2, 1}, bytes}, out);
              }),
              HasSubstr("reaches past"));
  EXPECT_THAT(ErrorOf([&] { CopyToF32({DType::kU8, {4}, {}, bytes}, out); }), HasSubstr("type U8"));
}

}  // namespace
}  // namespace vggt
