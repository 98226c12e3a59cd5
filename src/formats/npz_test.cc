// SPDX-License-Identifier: Apache-2.0
#include "formats/npz.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(Npz, RoundTripStoredAndDeflated) {
  const std::string values(6, 'v');
  for (const bool compress : {false, true}) {
    const TestDir dir;
    WriteNpz(dir / "a.npz", "heatmaps", "|u1", {2, 3}, AsBytes(values), compress);
    const NpzFile file(dir / "a.npz");
    EXPECT_THAT(file.names(), ElementsAre("heatmaps"));
    const NpzFile::Array array = file.Read("heatmaps");
    EXPECT_EQ(array.storage.empty(), !compress);
    EXPECT_EQ(array.npy.shape, (Shape{2, 3}));
    EXPECT_EQ(std::string(array.npy.data.begin(), array.npy.data.end()), values);
    EXPECT_THAT(ErrorOf([&] { return file.Read("maps"); }),
                HasSubstr("array 'maps': is not there; the file holds: heatmaps"));
  }
}

TEST(Npz, ReadsWhatNumPyWrote) {
  const NpzFile file(testing::Golden("export/conv_average/attn_maps/layer_01/heatmaps_uint8.npz"));
  const NpzFile::Array array = file.Read("heatmaps");
  EXPECT_EQ(array.npy.descr, "|u1");
  EXPECT_EQ(array.npy.shape, (Shape{169, 3, 13, 13}));
}

}  // namespace
}  // namespace vggt
