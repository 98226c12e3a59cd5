// SPDX-License-Identifier: Apache-2.0
// What the query of a request for maps asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "artifact/reader.h"

namespace vggt {

using QueryPairs = std::vector<std::pair<std::string, std::string>>;

// The most maps and values of one answer.
inline constexpr size_t kMostMaps = 4096;
inline constexpr size_t kMostValues = 64 << 20;

struct MapQuery {
  std::vector<size_t> layers;  // places in the export's layers
  std::vector<int> heads;      // from 1, or kMeanOfHeads alone
  std::vector<int> frames;     // from 0
  int64_t row = 0, col = 0;
};

// Decimal digits alone, at most `most`; throws Refusal (400) naming `what`.
int64_t ParseNumber(const std::string& text, int64_t most, const std::string& what);

// "3,5" -> {3, 5}: each from `least` to `most`, none twice; throws Refusal (400) naming `what`.
std::vector<int64_t> ParseList(const std::string& text, int64_t least, int64_t most,
                               const std::string& what);

// {first, first + 1, …}, `count` of them.
template <typename T>
std::vector<T> Range(T first, size_t count) {
  std::vector<T> numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = first + static_cast<T>(i);
  return numbers;
}

// Throws Refusal (400) if the query has a name that is none of `known`.
void CheckNames(const QueryPairs& query, std::span<const std::string_view> known);

// The value of `name`, if there is one; throws Refusal (400) if there are two.
std::optional<std::string> QueryValue(const QueryPairs& query, const std::string& name);

// Throws Refusal (400) for a name that is unknown or missing, a value out of range or given twice,
// and for more than one answer holds; (404) for a layer that the export has not.
MapQuery ParseMapQuery(const QueryPairs& query, const Export& described);

}  // namespace vggt
