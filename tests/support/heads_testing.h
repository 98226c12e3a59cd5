// SPDX-License-Identifier: Apache-2.0
// The specification's predictions and intermediates of heads, by name (tests/golden/heads).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "formats/npy.h"
#include "formats/zip.h"
#include "model/checkpoint_report.h"
#include "model/heads_plan.h"
#include "testing.h"

namespace vggt::testing {

struct GoldenArray {
  Shape shape;
  std::vector<float> values;
};

// The float32 array `name` of tests/golden/heads/FILE, an .npz.
inline GoldenArray LoadGolden(const std::string& file, const std::string& name) {
  const ZipReader zip(Golden("heads/" + file));
  const ZipEntry* entry = zip.Find(name + ".npy");
  if (entry == nullptr) throw Error("holds no " + name, file);
  const std::vector<uint8_t> bytes = zip.Read(*entry, 1 << 28);
  const NpyArray array = ParseNpy(bytes, name);
  EXPECT_EQ(array.descr, "<f4") << name;
  GoldenArray golden{array.shape, std::vector<float>(array.data.size() / sizeof(float))};
  std::memcpy(golden.values.data(), array.data.data(), array.data.size());
  return golden;
}

// A map [1, channels, rows, columns] or [channels, …] as [rows, columns, channels].
inline std::vector<float> ChannelsLast(const GoldenArray& map) {
  const int64_t channels = map.shape.at(map.shape.size() - 3);
  const int64_t pixels = std::ssize(map.values) / channels;
  std::vector<float> out;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < channels; ++c) out.push_back(map.values[c * pixels + p]);
  }
  return out;
}

// That both differ by at most `share` of the largest expected magnitude.
template <typename Expected>
void ExpectClose(std::span<const float> got, const Expected& expected, const std::string& name,
                 double share = 1e-4) {
  ASSERT_EQ(got.size(), expected.size()) << name;
  double largest = 0, worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    const double error = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    if (!(error <= worst)) worst = error;  // NaN, too
  }
  EXPECT_LE(worst, share * largest) << name;
}

// The golden checkpoint with heads: 5 layers of 16 channels, trunks of 4 heads.
struct GoldenHeadsModel {
  GoldenHeadsModel()
      : checkpoint(Checkpoint::Open(Golden("heads/tiny.safetensors"))),
        plan(ReadModelPlan(checkpoint)),
        heads(ReadHeads(checkpoint, plan, {.camera_heads = 4})) {}

  Checkpoint checkpoint;
  ModelPlan plan;
  HeadsPlan heads;
};

}  // namespace vggt::testing
