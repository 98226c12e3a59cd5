// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_version.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "qk_store_testing.h"
#include "store/export/export_reader.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::Golden;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

TEST(ExportVersion, IsThatOfWhatDescribesTheExport) {
  const TestDir dir;
  fs::copy(Golden("export/conv_per_head"), dir / "out", fs::copy_options::recursive);
  const FrameList frames = OpenExport(dir / "out").frames;
  WriteQkStore(dir / "out", SmallQkDescription(frames.frames, frames.H_p, frames.W_p));
  const fs::path manifest = dir / "out/attn_maps/layers_manifest.json";
  const std::string text = ReadFile(manifest);
  const auto files = DescribingFiles(OpenExport(dir / "out"));
  ASSERT_EQ(files.size(), 2U);
  EXPECT_FALSE(AreReplaced(files));
  EXPECT_FALSE(AreReplaced({}));
  fs::rename(manifest, dir / "aside");
  EXPECT_FALSE(AreReplaced(files));  // it has gone
  dir.Write("out/attn_maps/layers_manifest.json", text);
  EXPECT_TRUE(AreReplaced(files));
  fs::remove(manifest);
  fs::rename(dir / "aside", manifest);
  EXPECT_FALSE(AreReplaced(files));
}

TEST(ExportVersion, WithoutAManifestTheFirstLayerStandsForAll) {
  const TestDir dir;
  fs::copy(Golden("export/conv_per_head"), dir / "out", fs::copy_options::recursive);
  fs::remove(dir / "out/attn_maps/layers_manifest.json");
  const Export opened = OpenExport(dir / "out");
  const auto files = DescribingFiles(opened);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].path, opened.maps[0].metadata_file);
}

}  // namespace
}  // namespace vggt
