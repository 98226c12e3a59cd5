// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/weight_loader.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

#include "formats/safetensors.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// p.a, a linear layer 2 → 2 with a scale; p.nan; p.signs, 1 and 0.
Checkpoint Small(const TestDir& dir) {
  const std::vector<std::pair<SafetensorsWriter::Entry, std::vector<float>>> tensors = {
      {{"p.a.bias", DType::kF32, {2}}, {1, 2}},
      {{"p.a.weight", DType::kF32, {2, 2}}, {1, 2, 3, 4}},
      {{"p.nan", DType::kF32, {1}}, {std::nanf("")}},
      {{"p.scale", DType::kF32, {2}}, {10, 100}},
      {{"p.signs", DType::kF32, {2}}, {1, 0}}};
  std::vector<SafetensorsWriter::Entry> entries;
  for (const auto& [entry, values] : tensors) entries.push_back(entry);
  SafetensorsWriter writer(dir / "w", entries, {});
  for (const auto& [entry, values] : tensors) {
    writer.Append({reinterpret_cast<const uint8_t*>(values.data()), values.size() * 4});
  }
  writer.Commit();
  return Checkpoint::Open(dir / "w");
}

TEST(WeightLoader, AddsThePrefixAndFoldsScalesIn) {
  const TestDir dir;
  const Checkpoint checkpoint = Small(dir);
  WeightLoader loader(checkpoint, "p.", Precision::kF32);
  EXPECT_THAT(std::vector<float>(2, loader.Values("a.weight", 1)[1]), ::testing::Each(2));
  EXPECT_EQ(loader.Values("a.weight", 1).size(), 2U);
  const Linear layer = loader.Layer({"a", 2, 2, "scale"}, LinearEpilogue::kNone);
  CompiledProducts products;
  const float x[] = {1, -1};
  float y[2];
  layer.Run(1, x, y, products);
  EXPECT_FLOAT_EQ(y[0], 10 * (1 - 2 + 1));
  EXPECT_FLOAT_EQ(y[1], 100 * (3 - 4 + 2));
}

TEST(WeightLoader, NamesWhatIsMissingOrNotFinite) {
  const TestDir dir;
  const Checkpoint checkpoint = Small(dir);
  const WeightLoader loader(checkpoint, "p.", Precision::kF32);
  EXPECT_THAT(ErrorOf([&] { loader.Values("b"); }), HasSubstr("tensor p.b is missing"));
  EXPECT_THAT(ErrorOf([&] { loader.Values("nan"); }),
              HasSubstr("tensor p.nan holds infinite or NaN values"));
}

TEST(WeightLoader, NamesWhatIsNotPositive) {
  const TestDir dir;
  const Checkpoint checkpoint = Small(dir);
  const WeightLoader loader(checkpoint, "p.", Precision::kF32);
  EXPECT_EQ(loader.PositiveValues("scale")[1], 100);
  EXPECT_THAT(ErrorOf([&] { loader.PositiveValues("signs"); }),
              HasSubstr("tensor p.signs holds values that are not positive"));
}

}  // namespace
}  // namespace vggt
