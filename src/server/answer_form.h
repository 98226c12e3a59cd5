// SPDX-License-Identifier: Apache-2.0
// What answers of several addresses have in common.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/json.h"
#include "server/message.h"

namespace vggt {

// The most bytes of one answer, apart from its header: 64 MiB.
inline constexpr size_t kMostAnswerBytes = 64 << 20;

// Answers that no browser keeps.
Response JsonResponse(const OrderedJson& json, int status = 200);
Response NpyResponse(std::string body);

// A number for each layer and head, as [layers][heads]. `numbers` holds a whole count of heads for
// each of `layers` layers.
OrderedJson PerHeadJson(const std::vector<double>& numbers, size_t layers);

// A .npy file of float64, appended to a body. `shape` has as many elements as there are numbers.
void AppendNpy(const std::vector<double>& numbers, const Shape& shape, std::string& body);

}  // namespace vggt
