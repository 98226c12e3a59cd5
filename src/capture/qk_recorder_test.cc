// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_recorder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/model_executor.h"
#include "capture/qk_capture.h"
#include "store/qk/qk_store.h"
#include "trace_testing.h"

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
  recorder.OnUnrotated({BlockKind::kGlobal, 1}, Tokens(1, 0).qk());  // the first is written
  EXPECT_THAT(ErrorOf([&] {
                recorder.OnUnrotated({BlockKind::kGlobal, 2}, Tokens(1, 0).qk());
              }),
              HasSubstr("global_01.safetensors"));
  recorder.Finish();  // told once
}

// Plays a block that has run on one frame of a cls token and a patch, of two channels, which are
// those of two heads of one.
struct TwoTokens {
  float x[4] = {3, 4, 0, -2}, v[4] = {-0.5F, 2, 1, 0.25F}, grams[2] = {4, 0};
  BlockOutput output() const {
    return {.x = x,
            .channels = 2,
            .v = v,
            .output_grams = grams,
            .grid = {1, 1, 1, 1},
            .heads = 2,
            .head_dim = 1,
            .token_stride = 2};
  }
  QueriesKeys qk() const {
    return {.q = v, .k = v, .grid = {1, 1, 1, 1}, .heads = 2, .head_dim = 1, .token_stride = 2};
  }
};

QkDescription OfTwoTokens() {
  QkDescription d = OneFrame();
  for (QkBlocks& blocks : d.blocks) {
    blocks.head_dim = 1;
    blocks.channels = 2;
    blocks.special_tokens = {"cls"};
  }
  return d;
}

TEST(QkRecorder, WritesWhatABlockMade) {
  const TestDir dir;
  QkWriter writer(dir.path(), OfTwoTokens());
  QkRecorder recorder({{true}, {}, {}}, writer);
  EXPECT_TRUE(recorder.WantsOutput({BlockKind::kGlobal, 0}));
  EXPECT_FALSE(recorder.WantsOutput({BlockKind::kFrame, 0}));
  const TwoTokens tokens;
  recorder.OnUnrotated({BlockKind::kGlobal, 0}, tokens.qk());
  recorder.OnOutput({BlockKind::kGlobal, 0}, tokens.output());
  recorder.OnUnrotated({BlockKind::kEncoder, 0}, tokens.qk());  // ends at its queries and keys
  BlockOutput output = tokens.output();
  output.output_grams = nullptr;
  recorder.OnUnrotated({BlockKind::kFrame, 0}, tokens.qk());
  recorder.OnOutput({BlockKind::kFrame, 0}, output);
  recorder.Finish();
  writer.Finish();
  const QkStore store(FindQkDescription(dir.path()), "");
  const auto extras = [&](BlockKind kind) {
    return store.Extras(*store.description().Find(kind), 0);
  };
  const QkExtraValues global = extras(BlockKind::kGlobal);
  EXPECT_THAT(global.x_norm, ElementsAre(5, 2));
  EXPECT_THAT(global.x_unit_sum, ElementsAre(0, -1));  // of the patch alone
  EXPECT_THAT(global.v_norm, ElementsAre(0.5, 1, 2, 0.25));
  EXPECT_THAT(global.wov_norm, ElementsAre(1, 2, 0, 0));
  EXPECT_EQ(extras(BlockKind::kFrame).v_norm, global.v_norm);
  EXPECT_THAT(extras(BlockKind::kFrame).wov_norm, ::testing::IsEmpty());
  EXPECT_THAT(store.description().Find(BlockKind::kEncoder)->layers[0].extras,
              ::testing::IsEmpty());
}

TEST(QkRecorder, NamesTheBlockWhoseExtrasDoNotFit) {
  const TestDir dir;
  QkWriter writer(dir.path(), OfTwoTokens());
  QkRecorder recorder({}, writer);
  const auto error = [&](auto change) {
    TwoTokens tokens;
    recorder.OnUnrotated({BlockKind::kGlobal, 0}, tokens.qk());
    change(tokens);
    return ErrorOf([&] { recorder.OnOutput({BlockKind::kGlobal, 0}, tokens.output()); });
  };
  EXPECT_THAT(error([](TwoTokens& t) { t.v[3] = -70000; }),
              HasSubstr("global block 1: v_norm of head 2 holds 70000, which float16 cannot"));
  EXPECT_THAT(error([](TwoTokens& t) { t.grams[0] = 1e12F; }),
              HasSubstr("global block 1: wov_norm of head 1 holds 500000"));
  EXPECT_THAT(error([](TwoTokens& t) { t.x[2] = NAN; }),
              HasSubstr("values became infinite or NaN in global block 1"));
  TwoTokens large;
  large.x[2] = 1e9F;  // which float32 holds
  recorder.OnUnrotated({BlockKind::kGlobal, 0}, large.qk());
  recorder.OnOutput({BlockKind::kGlobal, 0}, large.output());
  recorder.Finish();
}

class QkRecorderOfAModel : public ::testing::TestWithParam<Precision> {};

// Block by block against the specification's float64.
TEST_P(QkRecorderOfAModel, EqualsTheTrace) {
  const Precision precision = GetParam();
  if (precision == Precision::kBf16 && !MultipliesBf16()) {
    GTEST_SKIP() << "no native bfloat16 here";
  }
  const testing::Trace trace;
  const std::vector<BlockKind> kinds(kBlockKinds.begin(), kBlockKinds.end());
  const WantedBlocks wanted = ChooseBlocks(kinds, trace.plan(), {true, true});
  ModelPlan plan = trace.plan();
  for (const StageSpec& stage : plan.stages) {
    for (const BlockSpec& block : stage.blocks) plan.taps.push_back(block.id);
  }
  QkDescription d;
  d.frames = trace.frames().count;
  d.H_p = plan.grid(trace.frames()).height;
  d.W_p = plan.grid(trace.frames()).width;
  d.image_paths.assign(d.frames, "../images/frame_00.png");
  d.blocks = DescribeBlocks(kinds, plan);
  const TestDir dir;
  QkWriter writer(dir.path(), d);
  QkRecorder recorder(wanted, writer);
  ModelExecutor(LoadParameters(trace.checkpoint(), plan, precision))
      .Forward(trace.frames(), recorder);
  recorder.Finish();
  writer.Finish();
  const QkStore store(FindQkDescription(dir.path()), "");
  // Float16 rounds by up to 2^-11 = 4.9e-4 of a value. Factors in bf16 are rounded by up to 2^-9 of
  // themselves; norms of x are 4 to 17, of 35 unit vectors the sums' parts are below 6.
  const bool bf16 = precision == Precision::kBf16;
  const double of_norm = bf16 ? 1e-2 : 1e-5, of_half = bf16 ? 1e-2 : 6e-4;
  const double of_sum = bf16 ? 0.1 : 1e-4;
  for (const QkBlocks& blocks : store.description().blocks) {
    ASSERT_EQ(blocks.layers.size(), 2U);
    for (size_t layer = 0; layer < 2; ++layer) {
      const QkExtraValues got = store.Extras(blocks, layer);
      for (const QkExtra extra : kQkExtras) {
        const std::string name =
            fmt::format("{}_{}_{}", BlockKindName(blocks.kind), layer, QkExtraName(extra));
        const std::vector<double> expected = testing::Trace::Load(name);
        const std::vector<float>& values = got.of(extra);
        ASSERT_EQ(values.size(), expected.size()) << name;
        const bool sum = extra == QkExtra::kXUnitSum;
        const double tolerance = sum                                 ? of_sum
                                 : QkExtraType(extra) == DType::kF16 ? of_half
                                                                     : of_norm;
        double worst = 0;
        for (size_t i = 0; i < values.size(); ++i) {
          const double off = std::abs(values[i] - expected[i]);
          worst = std::max(worst, sum ? off : off / expected[i]);
        }
        EXPECT_LE(worst, tolerance) << name;
        if (bf16 && extra == QkExtra::kXNorm) {
          EXPECT_GT(worst, 1e-4) << name << ": not computed in bf16 at all";
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, QkRecorderOfAModel,
                         ::testing::Values(Precision::kF32, Precision::kBf16),
                         [](const auto& info) { return std::string(PrecisionName(info.param)); });

}  // namespace
}  // namespace vggt
