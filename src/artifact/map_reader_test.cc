// SPDX-License-Identifier: Apache-2.0
#include "artifact/map_reader.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::Golden;

TEST(MapReader, SingleHeadsAreAsStored) {
  const MapReader reader(OpenExport(Golden("export/conv_per_head")), {});
  const StoredMaps stored = ReadMaps(reader.description().layers[2]);  // [90, 4, 3, 9, 10]
  const int heads[] = {3, 1}, frames[] = {2, 0};
  std::vector<uint8_t> levels(size_t{2} * 2 * 90);
  std::vector<double> scales(2);
  reader.Read(2, 17, heads, frames, levels, scales);
  for (size_t h = 0; h < 2; ++h) {
    for (size_t f = 0; f < 2; ++f) {
      const size_t from = ((size_t{17} * 4 + heads[h] - 1) * 3 + frames[f]) * 90;
      EXPECT_TRUE(std::equal(levels.begin() + (h * 2 + f) * 90,
                             levels.begin() + (h * 2 + f + 1) * 90, stored.levels.begin() + from));
    }
    EXPECT_EQ(scales[h], reader.description().layers[2].metadata.per_head_vmax99[heads[h] - 1]);
  }
}

}  // namespace
}  // namespace vggt
