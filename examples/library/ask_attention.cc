// SPDX-License-Identifier: Apache-2.0
// Prints where one patch of the first picture looks: in each picture the patch with the most
// attention.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "attention/attention_rows.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s EXPORT ROW COLUMN\n", argv[0]);
    return 2;
  }
  try {
    const vggt::AttentionRows rows = vggt::AttentionRows::Open(argv[1]);
    const vggt::TokenGrid grid = rows.grid(vggt::BlockKind::kGlobal);

    vggt::AttentionRequest request;  // of the last layer, all heads, all pictures
    request.definition = vggt::Definition::kModel;
    request.reduction = vggt::HeadReduction::kMean;
    request.frame = 0;
    request.tokens = {grid.patch(0, std::atol(argv[2]), std::atol(argv[3]))};
    const vggt::AttentionAnswer answer = rows.Answer(request);

    for (int64_t frame = 0; frame < grid.frames; ++frame) {
      const std::span<const float> patches = answer.Patches(0, 0, frame);  // layer, head, frame
      const auto best = std::max_element(patches.begin(), patches.end());
      const long patch = best - patches.begin();
      std::printf("picture %ld: row %ld, column %ld has %.3g of the attention\n",
                  static_cast<long>(frame), patch / grid.width, patch % grid.width, *best);
    }
  } catch (const vggt::Error& error) {  // what is wrong, where, and what to do
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
