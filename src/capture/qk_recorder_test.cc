// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_recorder.h"

#include <gmock/gmock.h>

#include <cmath>

#include "store/qk/qk_store.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

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

// Of one frame: a token of global blocks, two of frame blocks, three of the encoder's.
QkDescription OneFrame() {
  QkDescription d;
  d.image_set_name = "set";
  d.frames = d.H_p = d.W_p = 1;
  d.image_paths = {"../images/frame_00.png"};
  for (const BlockKind kind : kBlockKinds) {
    QkBlocks& blocks = d.blocks.emplace_back();
    blocks.kind = kind;
    blocks.heads = kQkHeads;
    blocks.head_dim = kQkHeadDim;
    blocks.scale = 1;
    if (kind != BlockKind::kGlobal) blocks.special_tokens = {"cls"};
    if (kind == BlockKind::kEncoder) blocks.special_tokens.emplace_back("register_1");
  }
  return d;
}

std::vector<float> Widened(const uint16_t* values, int64_t count) {
  std::vector<float> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(F16ToF32(values[i]));
  return out;
}

TEST(QkRecorder, WantsWhatItWasTold) {
  const TestDir dir;
  QkWriter writer(dir.path(), OneFrame());
  const QkRecorder recorder({{false, true}, {true}, {}}, writer);
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kGlobal, 0}));
  EXPECT_TRUE(recorder.WantsUnrotated({BlockKind::kGlobal, 1}));
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kGlobal, 2}));
  EXPECT_TRUE(recorder.WantsUnrotated({BlockKind::kFrame, 0}));
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kFrame, 1}));
  EXPECT_FALSE(recorder.WantsUnrotated({BlockKind::kEncoder, 0}));
}

TEST(QkRecorder, WritesBlocksHeadByHead) {
  const TestDir dir;
  QkWriter writer(dir.path(), OneFrame());
  QkRecorder recorder({}, writer);
  recorder.OnUnrotated({BlockKind::kFrame, 0}, Tokens(2, 0).qk());
  recorder.OnUnrotated({BlockKind::kEncoder, 4}, Tokens(3, 0).qk());  // more of them
  recorder.OnUnrotated({BlockKind::kGlobal, 0}, Tokens(1, 0.25F).qk());
  recorder.Finish();
  writer.Finish();
  const QkStore store(FindQkDescription(dir.path()), "");
  const auto layer = [&](BlockKind kind) {
    const QkBlocks& blocks = *store.description().Find(kind);
    EXPECT_EQ(blocks.layers.size(), 1U);
    const int64_t count = NumElements(store.description().shape(blocks));
    const QkTensors tensors = store.Layer(blocks, 0);
    return std::pair(Widened(tensors.q, count), Widened(tensors.k, count));
  };
  const auto [frame_q, frame_k] = layer(BlockKind::kFrame);
  EXPECT_THAT(frame_q, ElementsAre(0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112));
  EXPECT_THAT(frame_k, ElementsAre(0, -1, -2, -10, -11, -12, -100, -101, -102, -110, -111, -112));
  const auto [encoder_q, encoder_k] = layer(BlockKind::kEncoder);
  EXPECT_EQ(store.description().Find(BlockKind::kEncoder)->layers[0].index, 4);
  EXPECT_EQ(encoder_q[17], 122);
  EXPECT_EQ(encoder_k[17], -122);
  const auto [global_q, global_k] = layer(BlockKind::kGlobal);
  EXPECT_THAT(global_q, ElementsAre(0.25, 1.25, 2.25, 100.25, 101.25, 102.25));
  EXPECT_THAT(global_k, ElementsAre(-0.25, -1.25, -2.25, -100.25, -101.25, -102.25));
  EXPECT_GT(recorder.busy_seconds(), 0);
}

TEST(QkRecorder, NamesTheBlockWhoseValuesDoNotFit) {
  const TestDir dir;
  QkWriter writer(dir.path(), OneFrame());
  QkRecorder recorder({}, writer);
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
  EXPECT_TRUE(std::filesystem::is_empty(dir / "qk"));
}

TEST(QkRecorder, WhatTheWriterThrowsReachesTheModel) {
  const TestDir dir;
  QkWriter writer(dir.path(), OneFrame());
  std::filesystem::create_directory(dir / "qk" / QkFileName(BlockKind::kGlobal, 0));
  QkRecorder recorder({}, writer);
  recorder.OnUnrotated({BlockKind::kGlobal, 0}, Tokens(1, 0).qk());
  EXPECT_THAT(ErrorOf([&] {
                recorder.OnUnrotated({BlockKind::kGlobal, 1}, Tokens(1, 0).qk());
              }),
              HasSubstr("global_01.safetensors"));
  recorder.Finish();  // told once
}

}  // namespace
}  // namespace vggt
