// SPDX-License-Identifier: Apache-2.0
// The numbers that are taken of each attention head. This is the only list of them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace vggt {

// Each is the mean over the patch queries of a sample (row_sample.h). The probabilities A_ij of
// query i are the softmax over all keys j that it attends to, after RoPE. Special tokens are keys,
// not queries; scene tokens count as special tokens.
enum class HeadMetric {
  kEntropy,
  kEntropyShare,
  kEffectiveKeys,
  kParticipation,
  kTop1Mass,
  kTop10Mass,
  kSpecialMass,
  kOwnMass,
  kCrossMass,
  kFirstFrameMass,
  kSameCellMass,
  kSelfMass,
  kMeanDistance,
  kRopeShare,
  kMutualShare,
  kRowSimilarity,
};
inline constexpr size_t kHeadMetrics = 16;

struct HeadMetricInfo {
  HeadMetric metric;
  const char* name;        // in tables: "top1_mass"
  const char* label;       // where people choose: "largest probability"
  const char* unit;        // "nats", "keys", "cells"; "share" if it is one of 1; "" of a cosine
  const char* definition;  // the formula, in a sentence or two, with its source
};
// All of them, in the order of the enumeration.
std::span<const HeadMetricInfo, kHeadMetrics> HeadMetrics();
const HeadMetricInfo& InfoOf(HeadMetric metric);
std::optional<HeadMetric> FindHeadMetric(std::string_view name);

}  // namespace vggt
