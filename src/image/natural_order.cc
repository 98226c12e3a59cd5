// SPDX-License-Identifier: Apache-2.0
#include "image/natural_order.h"

#include <algorithm>

namespace vggt {
namespace {

constexpr std::string_view kDigits = "0123456789";

// Removes the number with which `text` begins and returns it without leading zeros: "7" for "007x",
// "" for "000".
std::string_view TakeNumber(std::string_view& text) {
  const std::string_view run = text.substr(0, text.find_first_not_of(kDigits));
  text.remove_prefix(run.size());
  return run.substr(std::min(run.find_first_not_of('0'), run.size()));
}

bool BeginsWithDigit(std::string_view text) { return text.find_first_of(kDigits) == 0; }

}  // namespace

bool ComesNaturallyBefore(std::string_view a, std::string_view b) {
  std::string_view rest_a = a, rest_b = b;
  while (!rest_a.empty() && !rest_b.empty()) {
    if (BeginsWithDigit(rest_a) && BeginsWithDigit(rest_b)) {
      const std::string_view number_a = TakeNumber(rest_a), number_b = TakeNumber(rest_b);
      if (number_a.size() != number_b.size()) return number_a.size() < number_b.size();
      if (number_a != number_b) return number_a < number_b;
    } else {
      const auto byte_a = static_cast<unsigned char>(rest_a[0]);
      const auto byte_b = static_cast<unsigned char>(rest_b[0]);
      if (byte_a != byte_b) return byte_a < byte_b;
      rest_a.remove_prefix(1);
      rest_b.remove_prefix(1);
    }
  }
  if (rest_a.empty() != rest_b.empty()) return rest_a.empty();
  return a < b;
}

}  // namespace vggt
