// SPDX-License-Identifier: Apache-2.0
// Stored maps: what the parameters of a request ask for, read, in the form in which it is sent
// (docs/http-api.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/json.h"
#include "server/message.h"
#include "store/maps/map_reader.h"

namespace vggt {

// The maps of one query, a cell of the map grid.
struct MapRequest {
  std::vector<size_t> layers;  // places in the export's layers
  std::vector<int> heads;      // from 1, or kMeanOfHeads alone
  std::vector<int> frames;     // from 0
  int64_t row = 0, col = 0;
};

// Throws Refusal (400) for a name that is unknown, missing or given twice, and for more than one
// answer holds; RequestError for its values.
MapRequest ParseMapRequest(const RequestParams& params, const std::vector<MapLayer>& of);

// Two .npy files, one behind the other: the levels, uint8 [layers, heads, frames, H_ds, W_ds], and
// what level 255 stands for, float64 [layers, heads]. Throws like MapReader::Read.
std::string MapsNpy(const MapRequest& request, const MapReader& maps);

// What was asked, and the scales without the levels. Throws like MapReader::Read.
OrderedJson MapsJson(const MapRequest& request, const MapReader& maps);

}  // namespace vggt
