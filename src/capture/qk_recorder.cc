// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_recorder.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "core/error.h"
#include "ops/half.h"

namespace vggt {
namespace {

// What the first value that float16 cannot hold is, and where.
[[noreturn]] void ThrowUnfit(BlockId block, const QueriesKeys& qk, const char* name,
                             const float* x) {
  for (int64_t t = 0; t < qk.tokens(); ++t) {
    for (int64_t c = 0; c < qk.heads * qk.head_dim; ++c) {
      const float value = x[t * qk.token_stride + c];
      if (!std::isfinite(value)) {
        throw Error("values became infinite or NaN in " + BlockText(block), "the model",
                    "The weights are damaged, or are not those of this model.");
      }
      if (std::isinf(F16ToF32(F32ToF16(value)))) {
        throw Error(fmt::format("{} of head {} holds {:.6g}, which float16 cannot hold", name,
                                c / qk.head_dim + 1, value),
                    BlockText(block),
                    "Queries and keys are stored as float16: leave this block out "
                    "(`layers`, `capture`).");
      }
    }
  }
  throw Error(fmt::format("{} does not fit float16", name), BlockText(block));
}

}  // namespace

bool WantedBlocks::Has(BlockId block) const {
  const std::vector<bool>* groups[] = {&global, &frame, &encoder};
  const std::vector<bool>& group = *groups[static_cast<size_t>(block.kind)];
  return block.index < static_cast<int64_t>(group.size()) && group[block.index];
}

QkRecorder::QkRecorder(WantedBlocks wanted, QkWriter& writer)
    : wanted_(std::move(wanted)), writer_(writer) {}

bool QkRecorder::WantsUnrotated(BlockId block) const { return wanted_.Has(block); }

void QkRecorder::OnUnrotated(BlockId block, const QueriesKeys& qk) {
  const size_t count = qk.tokens() * qk.heads * qk.head_dim;
  // Blocks of the encoder may have fewer tokens than others, or more.
  if (recording_.size() < 2 * count) {
    recording_ = {};
    recording_ = AlignedBuffer<uint16_t>(2 * count);
  }
  const std::pair<const char*, const float*> both[] = {{"q", qk.q}, {"k", qk.k}};
  uint16_t* out = recording_.data();
  for (const auto& [name, x] : both) {
    if (!HeadsToF16(qk.tokens(), qk.heads, qk.head_dim, qk.token_stride, x, out)) {
      ThrowUnfit(block, qk, name, x);
    }
    out += count;
  }
  background_.Wait();
  std::swap(recording_, finished_);
  background_.Start([this, block, count] {
    const std::span<const uint16_t> values = std::as_const(finished_).span();
    writer_.WriteLayer(block.kind, block.index, values.first(count), values.subspan(count, count));
  });
}

void QkRecorder::Finish() { background_.Wait(); }

}  // namespace vggt
