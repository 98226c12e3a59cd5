// SPDX-License-Identifier: Apache-2.0
#include "model/extents.h"

#include <gmock/gmock.h>

#include "formats/safetensors.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::TestDir;

Checkpoint WriteHalves(const TestDir& dir,
                       const std::vector<std::pair<std::string, Shape>>& tensors) {
  std::vector<SafetensorsWriter::Entry> entries;
  for (const auto& [name, shape] : tensors) entries.push_back({name, DType::kF16, shape});
  SafetensorsWriter writer(dir / "w", entries, {});
  for (const auto& entry : entries) {
    writer.Append(std::vector<uint8_t>(2 * static_cast<size_t>(NumElements(entry.shape))));
  }
  writer.Commit();
  return Checkpoint::Open(dir / "w");
}

TEST(Extents, BlocksAreCountedByTheHighestNumber) {
  const TestDir dir;
  const Checkpoint checkpoint = WriteHalves(dir, {{"b.0.x", {1}},
                                                  {"b.10.x", {1}},
                                                  {"b.2.x", {1}},
                                                  {"b.-3.x", {1}},
                                                  {"b.12", {1}},
                                                  {"b.1000.x", {1}},
                                                  {"b.99999999999999999999.x", {1}},
                                                  {"c.50.x", {1}}});
  EXPECT_EQ(CountBlocks(checkpoint, "b."), 11);
  EXPECT_EQ(CountBlocks(checkpoint, "c."), 51);
  EXPECT_EQ(CountBlocks(checkpoint, "d."), 0);
}

TEST(Extents, OfATensorOfTheExpectedRankAndAPlausibleSize) {
  const TestDir dir;
  const Checkpoint checkpoint = WriteHalves(dir, {{"a", {3, 5}}, {"large", {65537, 1}}});
  EXPECT_EQ(Extent(checkpoint, "a", 2, 0), 3);
  EXPECT_EQ(Extent(checkpoint, "a", 2, 1), 5);
  EXPECT_EQ(Extent(checkpoint, "a", 3, 0), 0);
  EXPECT_EQ(Extent(checkpoint, "b", 2, 0), 0);
  EXPECT_EQ(Extent(checkpoint, "large", 2, 0), 0);
}

}  // namespace
}  // namespace vggt
