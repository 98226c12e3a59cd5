// SPDX-License-Identifier: Apache-2.0
#include "capture/capture_options.h"

#include <fmt/format.h>

namespace vggt {

std::string NumbersText(const std::vector<int64_t>& numbers) {
  const size_t count = numbers.size();
  if (count == 0) return "none";
  std::string text = std::to_string(numbers[0]);
  if (count == 1) return text;
  const int64_t step = numbers[1] - numbers[0];
  bool even = true;
  for (size_t i = 1; i < count; ++i) even = even && numbers[i] - numbers[i - 1] == step;
  if (even && step == 1) return fmt::format("{} to {}", text, numbers.back());
  if (even && count > 4) {
    return fmt::format("{}, {}, {} to {}", text, numbers[1], numbers[2], numbers.back());
  }
  for (size_t i = 1; i < count; ++i) text += fmt::format(", {}", numbers[i]);
  return text;
}

}  // namespace vggt
