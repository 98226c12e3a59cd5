// SPDX-License-Identifier: Apache-2.0
// What the query of a request for maps asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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

// The value of `name`, if there is one; throws Refusal (400) if there are two.
std::optional<std::string> QueryValue(const QueryPairs& query, const std::string& name);

// Throws Refusal (400) for a name that is unknown or missing, a value out of range or given twice,
// and for more than one answer holds; (404) for a layer that the export has not.
MapQuery ParseMapQuery(const QueryPairs& query, const Export& described);

}  // namespace vggt
