// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_recorder.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "core/error.h"
#include "ops/half.h"
#include "ops/norms.h"

namespace vggt {
namespace {

[[noreturn]] void ThrowNotFinite(BlockId block) {
  throw Error("values became infinite or NaN in " + BlockText(block), "the model",
              "The weights are damaged, or are not those of this model.");
}

[[noreturn]] void ThrowTooLarge(BlockId block, const char* name, int64_t head, float value) {
  throw Error(
      fmt::format("{} of head {} holds {:.6g}, which float16 cannot hold", name, head + 1, value),
      BlockText(block),
      "Queries, keys and norms of values are stored as float16: leave this block out "
      "(`layers`, `capture`).");
}

bool IsTooLarge(float value) { return std::isinf(F16ToF32(F32ToF16(value))); }

// Throws unless the extras are finite, and fit the types that they are stored as.
void CheckFit(BlockId block, const TokenGrid& grid, const QkExtraValues& extras) {
  for (const QkExtra extra : kQkExtras) {
    const std::vector<float>& values = extras.of(extra);
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) ThrowNotFinite(block);
      if (QkExtraType(extra) != DType::kF16 || !IsTooLarge(values[i])) continue;
      ThrowTooLarge(block, QkExtraName(extra), static_cast<int64_t>(i) / grid.tokens(), values[i]);
    }
  }
}

// What the first value that float16 cannot hold is, and where.
[[noreturn]] void ThrowUnfit(BlockId block, const QueriesKeys& qk, const char* name,
                             const float* x) {
  for (int64_t t = 0; t < qk.tokens(); ++t) {
    for (int64_t c = 0; c < qk.heads * qk.head_dim; ++c) {
      const float value = x[t * qk.token_stride + c];
      if (!std::isfinite(value)) ThrowNotFinite(block);
      if (IsTooLarge(value)) ThrowTooLarge(block, name, c / qk.head_dim, value);
    }
  }
  throw Error(fmt::format("{} does not fit float16", name), BlockText(block));
}

}  // namespace

std::vector<bool>& WantedBlocks::of(BlockKind kind) {
  std::vector<bool>* groups[] = {&global, &frame, &encoder};
  return *groups[static_cast<size_t>(kind)];
}

bool WantedBlocks::Has(BlockId block) const {
  const std::vector<bool>* groups[] = {&global, &frame, &encoder};
  const std::vector<bool>& group = *groups[static_cast<size_t>(block.kind)];
  return block.index < static_cast<int64_t>(group.size()) && group[block.index];
}

QkRecorder::QkRecorder(WantedBlocks wanted, QkWriter& writer)
    : wanted_(std::move(wanted)), writer_(writer) {}

void QkRecorder::OnReference(int64_t frame) { writer_.SetReferenceFrame(frame); }

bool QkRecorder::WantsUnrotated(BlockId block) const { return wanted_.Has(block); }

void QkRecorder::OnUnrotated(BlockId block, const QueriesKeys& qk) {
  Write();  // a block that ended at its queries and keys
  const size_t count = qk.tokens() * qk.heads * qk.head_dim;
  // Blocks of the encoder may have fewer tokens than others, or more.
  if (recording_.qk.size() < 2 * count) {
    recording_.qk = {};
    recording_.qk = AlignedBuffer<uint16_t>(2 * count);
  }
  const std::pair<const char*, const float*> both[] = {{"q", qk.q}, {"k", qk.k}};
  uint16_t* out = recording_.qk.data();
  for (const auto& [name, x] : both) {
    if (!HeadsToF16(qk.tokens(), qk.heads, qk.head_dim, qk.token_stride, x, out)) {
      ThrowUnfit(block, qk, name, x);
    }
    out += count;
  }
  recording_.block = block;
  recording_.count = count;
  recording_.extras = {};
  pending_ = true;
}

bool QkRecorder::WantsOutput(BlockId block) const { return wanted_.Has(block); }

void QkRecorder::OnOutput(BlockId block, const BlockOutput& output) {
  const auto& [x, channels, v, grams, grid, heads, head_dim, stride] = output;
  const int64_t tokens = grid.tokens();
  QkExtraValues extras;
  extras.x_norm.resize(tokens);
  HeadNorms(tokens, 1, channels, channels, x, extras.x_norm.data());
  extras.x_unit_sum.resize(grid.frames * channels);
  UnitSums(grid, channels, x, extras.x_norm.data(), extras.x_unit_sum.data());
  extras.v_norm.resize(heads * tokens);
  HeadNorms(tokens, heads, head_dim, stride, v, extras.v_norm.data());
  if (grams != nullptr) {
    extras.wov_norm.resize(heads * tokens);
    HeadGramNorms(tokens, heads, head_dim, stride, v, grams, extras.wov_norm.data());
  }
  CheckFit(block, grid, extras);
  recording_.extras = std::move(extras);
  Write();
}

void QkRecorder::Write() {
  if (!pending_) return;
  pending_ = false;
  background_.Wait();
  std::swap(recording_, finished_);
  background_.Start([this] {
    const auto& [block, count, qk, extras] = std::as_const(finished_);
    writer_.WriteLayer(block.kind, block.index, qk.span().first(count),
                       qk.span().subspan(count, count), extras);
  });
}

void QkRecorder::Finish() {
  Write();
  background_.Wait();
}

}  // namespace vggt
