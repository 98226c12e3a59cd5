// SPDX-License-Identifier: Apache-2.0
// What the query of a request for maps asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/export/export_reader.h"

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

// Throws Refusal (400) if the query has a name that is none of `known`.
void CheckNames(const QueryPairs& query, std::span<const std::string_view> known);

// The value of `name`, if there is one; throws Refusal (400) if there are two.
std::optional<std::string> QueryValue(const QueryPairs& query, const std::string& name);

// Throws Refusal (400) for a name that is unknown, missing or given twice, and for more than one
// answer holds; RequestError for its values.
MapQuery ParseMapQuery(const QueryPairs& query, const Export& described);

}  // namespace vggt
