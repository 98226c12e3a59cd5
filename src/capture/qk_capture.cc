// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_capture.h"

#include <algorithm>
#include <cmath>

#include "capture/capture_options.h"

namespace vggt {

WantedBlocks ChooseBlocks(const std::vector<BlockKind>& kinds, const ModelPlan& plan,
                          const std::vector<bool>& layers) {
  WantedBlocks wanted;
  for (const BlockKind kind : kinds) {
    const std::vector<int64_t> numbers = plan.numbers(kind);
    const bool encoder = kind == BlockKind::kEncoder;
    if (numbers.empty()) {
      throw OptionError("capture",
                        encoder ? "this model's encoder is a bare convolution, which has no blocks"
                                : "this model looks at each picture alone, by its encoder's blocks",
                        "", BlockKindName(kind));
    }
    std::vector<bool>& group = wanted.of(kind);
    group.resize(numbers.back() + 1);
    for (const int64_t number : numbers) group[number] = encoder || layers[number];
    if (std::ranges::count(group, true) > 0) continue;
    throw OptionError("capture", "none of the layers is one of these blocks",
                      "Leave the blocks out, or name their layers (`layers`), too.",
                      BlockKindName(kind));
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
                         .rope = spec.rope.stored(),
                         .layers = {},
                         .channels = plan.dim()});
  }
  return described;
}

double LargestBlockBytes(const QkDescription& description) {
  double largest = 0;
  for (const QkBlocks& blocks : description.blocks) {
    // q and k, then the extras of a token: ‖x‖, and two norms of each head.
    const int64_t of_token = 2 * blocks.heads * blocks.head_dim * sizeof(uint16_t) +
                             (1 + 2 * blocks.heads) * sizeof(float);
    const double of_frame =
        static_cast<double>(description.tokens_per_frame(blocks)) * static_cast<double>(of_token) +
        static_cast<double>(blocks.channels * sizeof(float));
    largest = std::max(largest, of_frame * static_cast<double>(description.frames));
  }
  return largest;
}

}  // namespace vggt
