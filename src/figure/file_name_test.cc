// SPDX-License-Identifier: Apache-2.0
#include "figure/file_name.h"

#include <gmock/gmock.h>

#include <set>

#include "export_testing.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

class RecipeFileNameTest : public ::testing::Test {
 protected:
  RecipeFileNameTest() {
    const fs::path folder = testing::CopyExport(dir_, "conv_per_head", "a");
    testing::WriteQkStore(folder, testing::SmallQkDescription(3, 25, 37));
    export_ = std::make_unique<RecipeExport>(folder);
  }

  std::string Name(RecipeWords words, bool both = false) const {
    words.insert(words.begin(), {"export", "a"});
    if (both) words.insert(words.begin(), {"other", "b"});
    const RecipeSource a = export_->source();
    return RecipeFileName(PlanRecipe(ReadRecipe(words), a, both ? &a : nullptr), "png");
  }

  testing::TestDir dir_;
  std::unique_ptr<RecipeExport> export_;
};

TEST_F(RecipeFileNameTest, SaysWhatIsInTheFile) {
  EXPECT_EQ(Name({{"queries", "4.5"}, {"layer", "2"}, {"head", "3"}}),
            "conv_per_head_layer2_head3_row4_col5.png");
  EXPECT_EQ(Name({{"queries", "4.5"}, {"view", "matrix"}, {"frame", "2"}}),
            "conv_per_head_layers_heads_target2_row4_col5.png");
  EXPECT_EQ(Name({{"queries", "4.5_2~0.0@camera"}, {"definition", "cosine"}, {"rope", "before"}}),
            "conv_per_head_layer5_headmean_row4_col5_frame2_camera_cosine_before_RoPE.png");
}

TEST_F(RecipeFileNameTest, DiffersWhereNumbersDiffer) {
  const std::vector<std::string> names = {
      Name({{"queries", "4.5"}}),
      Name({{"queries", "4.6"}}),
      Name({{"queries", "4.5_4.6"}}),
      Name({{"queries", "4.5"}, {"layer", "1"}}),
      Name({{"queries", "4.5"}, {"head", "1"}}),
      Name({{"queries", "4.5"}, {"view", "heads"}}),
      Name({{"queries", "4.5"}, {"view", "layers"}}),
      Name({{"queries", "4.5"}, {"view", "matrix"}}),
      Name({{"queries", "4.5"}, {"view", "matrix"}, {"frame", "1"}}),
      Name({{"queries", "4.5"}, {"definition", "model"}}),
      Name({{"queries", "4.5"}, {"definition", "model"}, {"reduce", "max"}}),
      Name({{"queries", "4.5"}, {"definition", "model"}, {"rope", "before"}}),
      Name({{"queries", "4.5"}, {"definition", "model"}, {"block", "frame"}}),
      Name({{"queries", "4.5"}, {"definition", "model"}, {"incoming", "1"}}),
      Name({{"queries", "4.5+1.1+1.2"}, {"definition", "model"}}),
      Name({{"queries", "4.5+1.1+1.3"}, {"definition", "model"}}),
      Name({{"queries", "4.5"}}, true),
      Name({{"queries", "4.5"}, {"compare", "difference"}}, true)};
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST_F(RecipeFileNameTest, CannotHurt) {
  const auto named = [&](const std::string& name) {
    testing::ReplaceInFile(dir_ / "a/attn_maps/layers_manifest.json", "\"conv_per_head\"",
                           "\"" + name + "\"");
    const RecipeExport renamed(dir_ / "a");
    const std::string file = RecipeFileName(
        PlanRecipe(ReadRecipe({{"export", "a"}, {"queries", "4.5"}}), renamed.source()), "csv");
    testing::ReplaceInFile(dir_ / "a/attn_maps/layers_manifest.json", "\"" + name + "\"",
                           "\"conv_per_head\"");
    return file;
  };
  EXPECT_EQ(named("../../etc/passwd"), "_.._etc_passwd_layer3_headmean_row4_col5.csv");
  EXPECT_EQ(named("--flag $(x) a"), "flag_x_a_layer3_headmean_row4_col5.csv");
  EXPECT_EQ(named("Küche 台所"), "Küche_台所_layer3_headmean_row4_col5.csv");
  std::string kitchens;
  for (int i = 0; i < 100; ++i) kitchens += "台所";
  const std::string cut = named(kitchens);
  EXPECT_LE(cut.size(), 200U);
  EXPECT_EQ(Printable(cut, 1000), cut);
}

}  // namespace
}  // namespace vggt
