// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vggt {
namespace {

// "4, 5 and 6"
std::string ListText(const QkBlocks& blocks, std::span<const size_t> layers, int64_t first) {
  std::string text;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) text += i + 1 == layers.size() ? " and " : ", ";
    text += std::to_string(blocks.layers[layers[i]].index + first);
  }
  return text;
}

}  // namespace

size_t NearestLayer(const QkBlocks& blocks, int64_t index) {
  const auto nearer = [index](const QkLayer& a, const QkLayer& b) {
    return std::abs(a.index - index) < std::abs(b.index - index);
  };
  return static_cast<size_t>(std::min_element(blocks.layers.begin(), blocks.layers.end(), nearer) -
                             blocks.layers.begin());
}

int64_t DepthOf(const QkDescription& description, const QkBlocks& blocks) {
  return std::max(description.provenance.depth, blocks.layers.back().index + 1);
}

std::vector<size_t> LayersAsDeepAs(const QkDescription& description, const QkBlocks& blocks,
                                   std::span<const int64_t> indices, int64_t depth) {
  const double ratio = static_cast<double>(DepthOf(description, blocks) - 1) /
                       static_cast<double>(std::max<int64_t>(depth - 1, 1));
  std::vector<size_t> layers;
  for (const int64_t index : indices) {
    layers.push_back(NearestLayer(blocks, std::lround(static_cast<double>(index) * ratio)));
  }
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

std::vector<size_t> EvenLayers(const QkBlocks& blocks, size_t count) {
  const size_t all = blocks.layers.size(), taken = std::min(count, all);
  std::vector<size_t> layers;
  for (size_t i = 0; i < taken; ++i) {
    const size_t steps = std::max<size_t>(taken - 1, 1);
    layers.push_back((i * (all - 1) + steps / 2) / steps);
  }
  return layers;
}

std::string LayersText(const QkBlocks& blocks, std::span<const size_t> layers) {
  const bool one = layers.size() == 1;
  return fmt::format("{} {} {} ({} {})", BlockKindName(blocks.kind), one ? "layer" : "layers",
                     ListText(blocks, layers, 1), one ? "index" : "indices",
                     ListText(blocks, layers, 0));
}

std::string LayerText(const QkBlocks& blocks, size_t layer) {
  return LayersText(blocks, std::span(&layer, 1));
}

}  // namespace vggt
