// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_capture.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace vggt {

std::vector<BlockKind> ParseCapture(const std::string& text) {
  std::array<bool, kBlockKinds.size()> wanted{};
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    const auto kind = FindBlockKind(word);
    if (!kind) {
      throw Error(fmt::format("'{}' is none of global, frame, encoder", Printable(word)));
    }
    wanted[static_cast<size_t>(*kind)] = true;
    begin = end + 1;
  }
  std::vector<BlockKind> kinds;
  std::copy_if(kBlockKinds.begin(), kBlockKinds.end(), std::back_inserter(kinds),
               [&](BlockKind kind) { return wanted[static_cast<size_t>(kind)]; });
  return kinds;
}

WantedBlocks ChooseBlocks(const std::vector<BlockKind>& kinds, const ModelPlan& plan,
                          const std::vector<bool>& layers) {
  WantedBlocks wanted;
  for (const BlockKind kind : kinds) {
    if (kind == BlockKind::kGlobal) wanted.global = layers;
    if (kind == BlockKind::kFrame) wanted.frame = layers;
    if (kind != BlockKind::kEncoder) continue;
    wanted.encoder.assign(plan.count(BlockKind::kEncoder), true);
    if (wanted.encoder.empty()) {
      throw Error("this model's encoder is a bare convolution, which has no blocks",
                  "--capture encoder");
    }
  }
  return wanted;
}

std::vector<QkBlocks> DescribeBlocks(const std::vector<BlockKind>& kinds, const ModelPlan& plan) {
  std::vector<QkBlocks> described;
  for (const BlockKind kind : kinds) {
    const BlockSpec& spec = *plan.first(kind);
    described.push_back({.kind = kind,
                         .heads = spec.heads,
                         .head_dim = spec.head_dim,
                         .scale = 1 / std::sqrt(static_cast<double>(spec.head_dim)),
                         .special_tokens = plan.stage_of(kind)->token_names(),
                         .attends = spec.attends,
                         .rope = spec.rope,
                         .layers = {}});
  }
  return described;
}

double LargestBlockBytes(const QkDescription& description) {
  double largest = 0;
  for (const QkBlocks& blocks : description.blocks) {
    const double values = static_cast<double>(blocks.heads * blocks.head_dim) *
                          static_cast<double>(description.tokens_per_frame(blocks)) *
                          static_cast<double>(description.frames);
    largest = std::max(largest, 2 * sizeof(uint16_t) * values);
  }
  return largest;
}

}  // namespace vggt
