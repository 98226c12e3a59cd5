// SPDX-License-Identifier: Apache-2.0
#include "model/extents.h"

#include <algorithm>
#include <charconv>

namespace vggt {
namespace {

constexpr int64_t kMostExtent = 1 << 16;

}  // namespace

int64_t CountBlocks(const Checkpoint& checkpoint, const std::string& prefix) {
  int64_t count = 0;
  const auto& tensors = checkpoint.tensors();
  for (auto it = tensors.lower_bound(prefix); it != tensors.end() && it->first.starts_with(prefix);
       ++it) {
    int64_t index = 0;
    const char* begin = it->first.data() + prefix.size();
    const auto [end, error] = std::from_chars(begin, it->first.data() + it->first.size(), index);
    if (error == std::errc() && *end == '.' && index >= 0 && index < 1000) {
      count = std::max(count, index + 1);
    }
  }
  return count;
}

int64_t Extent(const Checkpoint& checkpoint, const std::string& name, size_t rank, size_t dim) {
  const TensorView* tensor = checkpoint.Find(name);
  if (tensor == nullptr || tensor->shape.size() != rank) return 0;
  return tensor->shape[dim] <= kMostExtent ? tensor->shape[dim] : 0;
}

}  // namespace vggt
