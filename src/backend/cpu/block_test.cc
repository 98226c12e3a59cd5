// SPDX-License-Identifier: Apache-2.0
// Blocks inside a model are compared with the specification in model_executor_test; here, a block
// alone with the slow twins, at sizes that split the MLP unevenly.
#include "backend/cpu/block.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/cpu/bf16_support.h"
#include "ops/reference.h"
#include "trace_testing.h"

namespace vggt {
namespace {

using testing::Trace;

// The block by the slow twins, from the checkpoint's own tensors.
std::vector<float> SlowBlock(const Checkpoint& checkpoint, const std::string& prefix,
                             const BlockSpec& spec, int64_t batch, int64_t tokens,
                             const std::vector<int32_t>& yx, std::vector<float> x) {
  const int64_t heads = spec.heads, head_dim = spec.head_dim, dim = heads * head_dim;
  const int64_t n = batch * tokens, hidden_channels = spec.rest->fc1.out;
  const auto load = [&](const std::string& name) {
    const TensorView* view = checkpoint.Find(prefix + name);
    std::vector<float> values(NumElements(view->shape));
    CopyToF32(*view, values.data());
    return values;
  };
  const auto norm = [&](const std::string& name, const std::vector<float>& in) {
    std::vector<float> out(in.size());
    reference::LayerNorm(n, dim, in.data(), load(name + ".weight").data(),
                         load(name + ".bias").data(), 1e-5, out.data());
    return out;
  };
  const auto linear = [&](const std::string& name, int64_t in, int64_t out,
                          const std::vector<float>& from) {
    std::vector<float> to(n * out);
    reference::Linear(n, in, out, from.data(), load(name + ".weight").data(),
                      load(name + ".bias").data(), to.data());
    return to;
  };
  const auto add_scaled = [&](const std::string& gamma_name, const std::vector<float>& y) {
    const auto gamma = load(gamma_name);
    for (int64_t i = 0; i < n * dim; ++i) x[i] += gamma[i % dim] * y[i];
  };

  auto qkv = linear("attn.qkv", dim, 3 * dim, norm("norm1", x));
  for (const auto& [name, offset] : {std::pair{"attn.q_norm", int64_t{0}}, {"attn.k_norm", dim}}) {
    for (int64_t t = 0; t < n; ++t) {
      float* row = &qkv[t * 3 * dim + offset];
      reference::LayerNorm(heads, head_dim, row, load(std::string(name) + ".weight").data(),
                           load(std::string(name) + ".bias").data(), 1e-5, row);
    }
    reference::Rope(n, heads, head_dim, 3 * dim, yx.data(), &qkv[offset]);
  }
  std::vector<float> attended(n * dim);
  reference::Attention({batch, tokens, heads, head_dim, 3 * dim}, qkv.data(), &qkv[dim],
                       &qkv[2 * dim], attended.data());
  add_scaled("ls1.gamma", linear("attn.proj", dim, dim, attended));
  auto hidden = linear("mlp.fc1", dim, hidden_channels, norm("norm2", x));
  for (float& h : hidden) h = static_cast<float>(reference::Gelu(h));
  add_scaled("ls2.gamma", linear("mlp.fc2", hidden_channels, dim, hidden));
  return x;
}

class BlockTest : public ::testing::TestWithParam<Precision> {};

TEST_P(BlockTest, EqualsItsSlowTwin) {
  const Precision precision = GetParam();
  if (precision == Precision::kBf16 && !MultipliesBf16()) {
    GTEST_SKIP() << "no native bfloat16 here";
  }
  // Values of x are below 10. In bf16 sums of some hundred products of factors rounded by up to
  // 2^-9 of themselves.
  const double tolerance = precision == Precision::kBf16 ? 0.1 : 5e-5;
  const double mean_tolerance = precision == Precision::kBf16 ? 0.01 : 5e-6;
  const Trace trace;
  const ModelParameters parameters = LoadParameters(trace.checkpoint(), trace.plan(), precision);
  const BlockSpec& spec = trace.plan().stages[1].blocks[0];
  const int64_t dim = trace.plan().dim();
  for (const auto& [batch, tokens] : {std::pair{1, 1}, {3, 17}, {2, 101}}) {
    const int64_t n = batch * tokens;
    std::vector<float> x(n * dim);
    TokenPositions positions(spec.rope, spec.head_dim, {.height = 40, .width = 1}, {});
    positions.yx.clear();
    for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
    for (int32_t t = 0; t < n; ++t) {
      positions.yx.insert(positions.yx.end(), {t % 40, t % 7});
    }
    const auto expected = SlowBlock(trace.checkpoint(), "aggregator.frame_blocks.0.", spec, batch,
                                    tokens, positions.yx, x);
    Workspace workspace(trace.plan(), n, precision);
    workspace.mlp_rows = std::min<int64_t>(n, 64);  // the last piece is a shorter one
    ASSERT_TRUE(RunBlock(spec, parameters.stages[1].blocks[0], {batch, tokens, 0, 0}, x.data(),
                         &positions, {}, workspace));
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(x[i], expected[i], tolerance) << i;
      sum += std::abs(x[i] - expected[i]);
    }
    EXPECT_LT(sum / static_cast<double>(x.size()), mean_tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, BlockTest,
                         ::testing::Values(Precision::kF32, Precision::kBf16),
                         [](const auto& info) { return std::string(PrecisionName(info.param)); });

}  // namespace
}  // namespace vggt
