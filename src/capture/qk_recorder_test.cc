// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_recorder.h"

#include <gmock/gmock.h>

#include <cmath>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

constexpr int64_t kQkHeads = 2, kQkHeadDim = 3;

// Plays the model: q, k and v side by side, q of token t, head h and channel c is
// first + 100 h + 10 t + c, k its negative.
class Tokens {
 public:
  Tokens(int64_t tokens, float first) : tokens_(tokens), qkv_(tokens * kStride) {
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t h = 0; h < kQkHeads; ++h) {
        for (int64_t c = 0; c < kQkHeadDim; ++c) {
          q(t, h, c) = first + static_cast<float>(100 * h + 10 * t + c);
          qkv_[t * kStride + kQkHeads * kQkHeadDim + h * kQkHeadDim + c] = -q(t, h, c);
        }
      }
    }
  }

  float& q(int64_t t, int64_t h, int64_t c) { return qkv_[t * kStride + h * kQkHeadDim + c]; }
  QueriesKeys qk() const {
    return {.q = qkv_.data(),
            .k = qkv_.data() + kQkHeads * kQkHeadDim,
            .grid = {1, 0, 1, tokens_},
            .heads = kQkHeads,
            .head_dim = kQkHeadDim,
            .token_stride = kStride};
  }

 private:
  static constexpr int64_t kStride = 3 * kQkHeads * kQkHeadDim;
  int64_t tokens_;
  std::vector<float> qkv_;
};

std::vector<float> Widened(std::span<const uint16_t> values) {
  std::vector<float> out;
  for (const uint16_t value : values) out.push_back(F16ToF32(value));
  return out;
}

TEST(QkRecorder, WantsWhatItWasTold) {
  const QkRecorder recorder({{false, true}, {true}, {}}, [](auto, auto, auto) {});
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kGlobal, 0}));
  EXPECT_TRUE(recorder.WantsUnrotated({BlockKind::kGlobal, 1}));
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kGlobal, 2}));
  EXPECT_TRUE(recorder.WantsUnrotated({BlockKind::kFrame, 0}));
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kFrame, 1}));
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kEncoder, 0}));
}

TEST(QkRecorder, HandsOnBlocksHeadByHeadInOrder) {
  std::vector<std::string> blocks;
  std::vector<std::vector<float>> q, k;
  QkRecorder recorder({}, [&](BlockId block, auto block_q, auto block_k) {
    blocks.push_back(BlockText(block));
    q.push_back(Widened(block_q));
    k.push_back(Widened(block_k));
  });
  recorder.OnUnrotated({BlockKind::kFrame, 0}, Tokens(2, 0).qk());
  recorder.OnUnrotated({BlockKind::kEncoder, 4}, Tokens(3, 0).qk());  // more of them
  recorder.OnUnrotated({BlockKind::kGlobal, 0}, Tokens(1, 0.25F).qk());
  recorder.Finish();
  EXPECT_THAT(blocks, ElementsAre("frame block 1", "encoder block 5", "global block 1"));
  EXPECT_THAT(q[0], ElementsAre(0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112));
  EXPECT_THAT(k[0], ElementsAre(0, -1, -2, -10, -11, -12, -100, -101, -102, -110, -111, -112));
  EXPECT_EQ(q[1].size(), 18U);
  EXPECT_THAT(q[2], ElementsAre(0.25, 1.25, 2.25, 100.25, 101.25, 102.25));
  EXPECT_THAT(k[2], ElementsAre(-0.25, -1.25, -2.25, -100.25, -101.25, -102.25));
  EXPECT_GT(recorder.busy_seconds(), 0);
}

TEST(QkRecorder, NamesTheBlockWhoseValuesDoNotFit) {
  int blocks = 0;
  QkRecorder recorder({}, [&](auto, auto, auto) { ++blocks; });
  Tokens tokens(2, 0);
  tokens.q(1, 1, 2) = 70000;
  EXPECT_THAT(ErrorOf([&] {
                recorder.OnUnrotated({BlockKind::kFrame, 6}, tokens.qk());
              }),
              HasSubstr("frame block 7: q of head 2 holds 70000, which float16 cannot hold"));
  QueriesKeys swapped = tokens.qk();
  std::swap(swapped.q, swapped.k);
  EXPECT_THAT(ErrorOf([&] {
                recorder.OnUnrotated({BlockKind::kGlobal, 0}, swapped);
              }),
              HasSubstr("global block 1: k of head 2 holds 70000"));
  tokens.q(1, 1, 2) = std::nanf("");
  EXPECT_THAT(ErrorOf([&] {
                recorder.OnUnrotated({BlockKind::kEncoder, 0}, tokens.qk());
              }),
              HasSubstr("values became infinite or NaN in encoder block 1"));
  recorder.Finish();
  EXPECT_EQ(blocks, 0);
}

TEST(QkRecorder, WhatTheSinkThrowsReachesTheModel) {
  QkRecorder recorder({}, [](auto, auto, auto) { throw Error("the disk is full"); });
  recorder.OnUnrotated({BlockKind::kGlobal, 0}, Tokens(1, 0).qk());
  EXPECT_EQ(ErrorOf([&] {
              recorder.OnUnrotated({BlockKind::kGlobal, 1}, Tokens(1, 0).qk());
            }),
            "the disk is full");
  recorder.Finish();  // told once
}

}  // namespace
}  // namespace vggt
