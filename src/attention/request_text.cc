// SPDX-License-Identifier: Apache-2.0
#include "attention/request_text.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace vggt {
namespace {

using Kind = RequestError::Kind;

constexpr int64_t kMostLayerNumber = 999'999'999;

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

int64_t ParseNumber(const std::string& text, const NumberRange& range, const std::string& field) {
  constexpr size_t kMostDigits = 9;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
    throw RequestError(Kind::kMalformed, field,
                       text.empty() ? "a number is missing"
                                    : fmt::format("'{}' is no whole number", Printable(text)));
  }
  const int64_t number = text.size() <= kMostDigits ? std::stoll(text) : kMostLayerNumber + 1;
  if (number < range.first || number > range.last) {
    throw RequestError(Kind::kMalformed, field,
                       fmt::format("there is no {} {}", range.noun, Printable(text)),
                       fmt::format("They run from {} to {}.", range.first, range.last));
  }
  return number;
}

std::vector<int64_t> ParseNumbers(const std::string& text, const NumberRange& range,
                                  const std::string& field) {
  std::vector<int64_t> numbers;
  for (const std::string& part : SplitAtCommas(text)) {
    const int64_t number = ParseNumber(part, range, field);
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end()) {
      throw RequestError(Kind::kMalformed, field,
                         fmt::format("{} {} is named twice", range.noun, number));
    }
    numbers.push_back(number);
  }
  return numbers;
}

std::vector<size_t> ParseLayers(const std::string& text, const std::vector<int64_t>& numbers,
                                const std::string& owner) {
  if (text == "all") return Range<size_t>(0, numbers.size());
  std::vector<size_t> places;
  for (const int64_t number : ParseNumbers(text, {"layer", 1, kMostLayerNumber}, "layers")) {
    const auto found = std::find(numbers.begin(), numbers.end(), number);
    if (found == numbers.end()) {
      throw RequestError(Kind::kNotThere, "layers",
                         fmt::format("{} has no layer {}", owner, number),
                         fmt::format("Its layers are {}.", fmt::join(numbers, ", ")));
    }
    places.push_back(static_cast<size_t>(found - numbers.begin()));
  }
  return places;
}

}  // namespace vggt
