// SPDX-License-Identifier: Apache-2.0
#include "figure/file_name.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "export_testing.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::CopyExport;
using ::testing::EndsWith;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using testing::TestDir;
using testing::WriteQkStore;

class RecipeFileNameTest : public ::testing::Test {
 protected:
  RecipeFileNameTest() {
    const auto folder = CopyExport(dir_, "conv_per_head", "a");
    WriteQkStore(folder, testing::SmallQkDescription(3, 25, 37));
    export_ = std::make_unique<RecipeExport>(folder);
  }

  std::string NameOf(const std::string& scene, RecipeWords words) const {
    words.emplace_back("export", "a");
    RecipeSource source = export_->source();
    source.name = scene;
    const bool both = std::any_of(words.begin(), words.end(),
                                  [](const auto& word) { return word.first == "other"; });
    return RecipeFileName(PlanRecipe(ReadRecipe(words), source, both ? &source : nullptr), "png");
  }

  TestDir dir_;
  std::unique_ptr<RecipeExport> export_;
};

TEST_F(RecipeFileNameTest, SaysWhatIsInIt) {
  EXPECT_EQ(NameOf("kitchen", {{"queries", "4.5"}}), "kitchen_layer3_headmean_row4_col5.png");
  EXPECT_EQ(NameOf("kitchen", {{"queries", "4.5"}, {"view", "heads"}, {"layer", "2"}}),
            "kitchen_layer2_heads_row4_col5.png");
  EXPECT_EQ(NameOf("kitchen", {{"queries", "2~12.18_0~1.2@camera"},
                               {"definition", "cosine"},
                               {"rope", "before"},
                               {"incoming", "1"},
                               {"block", "frame"},
                               {"view", "matrix"}}),
            "kitchen_layers_heads_target0_frame2_row12_col18_frame0_camera_"
            "cosine_before_RoPE_frame_blocks_incoming.png");
  EXPECT_EQ(NameOf("kitchen", {{"queries", "4.5"},
                               {"definition", "model"},
                               {"head", "2"},
                               {"frames", "0,2"},
                               {"other", "b"},
                               {"compare", "difference"}}),
            "kitchen_minus_b_layer5_head2_row4_col5_frames0-2_model.png");
}

// Each recipe differs from the first in one thing.
TEST_F(RecipeFileNameTest, WhateverDiffersIsTold) {
  const RecipeWords first = {{"queries", "4.5"}, {"definition", "model"}};
  std::set<std::string> names = {NameOf("kitchen", first), NameOf("kitchen2", first),
                                 NameOf("kitchen 2", first), NameOf("kitchen+2", first)};
  const std::vector<RecipeWords> changes = {
      {{"definition", "patches"}},
      {{"block", "frame"}},
      {{"rope", "before"}},
      {{"incoming", "1"}},
      {{"reduce", "max"}},
      {{"layer", "1"}},
      {{"head", "1"}},
      {{"head", "2"}},
      {{"view", "heads"}},
      {{"view", "layers"}},
      {{"view", "layers"}, {"head", "1"}},
      {{"view", "matrix"}},
      {{"view", "matrix"}, {"frame", "1"}},
      {{"queries", "4.6"}},
      {{"queries", "1~4.5"}},
      {{"queries", "4.5@camera"}},
      {{"queries", "4.5@register_1"}},
      {{"queries", "4.5-5.6"}},
      {{"queries", "4.5-5.7"}},
      {{"queries", "4.5+6.7"}},
      {{"queries", "4.5+6.8"}},
      {{"queries", "4.5+6.7+6.8"}},
      {{"queries", "4.5_6.7"}},
      {{"queries", "6.7_4.5"}},
      {{"frames", "0"}},
      {{"frames", "0,1"}},
      {{"other", "b"}},
      {{"other", "c"}},
      {{"other", "b c"}},
      {{"other", "b/c"}},
      {{"other", "b"}, {"compare", "difference"}},
  };
  for (const RecipeWords& change : changes) {
    RecipeWords words = change;
    for (const auto& word : first) {
      if (std::none_of(change.begin(), change.end(),
                       [&](const auto& other) { return other.first == word.first; })) {
        words.push_back(word);
      }
    }
    names.insert(NameOf("kitchen", words));
  }
  names.insert(NameOf("kitchen", {{"queries", "4.5"}}));  // stored
  EXPECT_EQ(names.size(), 4 + changes.size() + 1);
  for (const std::string& name : names) {
    EXPECT_THAT(name, MatchesRegex("kitchen[A-Za-z0-9._-]*\\.png"));
  }
}

// How it looks is no matter of its name.
TEST_F(RecipeFileNameTest, LooksAreNotTold) {
  EXPECT_EQ(NameOf("kitchen", {{"queries", "4.5"}, {"colormap", "viridis"}, {"width", "85"}}),
            NameOf("kitchen", {{"queries", "4.5"}}));
}

TEST_F(RecipeFileNameTest, LettersOfAllScripts) {
  const auto stem = [&](const std::string& scene) {
    const std::string name = NameOf(scene, {{"queries", "4.5"}});
    return name.substr(0, name.find("_layer3"));
  };
  for (const char* scene : {"Küche", "кухня", "台所", "مطبخ", "キッチン", "부엌", "Ⅷ", "a.b-c_d"}) {
    EXPECT_EQ(stem(scene), scene);
  }
  EXPECT_EQ(stem("my  kitchen"), "my_kitchen");
  EXPECT_EQ(stem("a/../b"), "a_.._b");
  EXPECT_EQ(stem("<a>\"b\"|c?*"), "_a_b_c_");
  EXPECT_EQ(stem("😀 → x"), "_x");
  EXPECT_EQ(stem("a\x1b\n\x7f\xc2\xa0z"), "a_z");
  EXPECT_EQ(stem("bad\xff\xc3(\xed\xa0\x80z"), "bad_z");
  EXPECT_EQ(stem("..x"), "_.x");
  EXPECT_EQ(stem("-rf"), "_rf");
}

TEST_F(RecipeFileNameTest, AtMost180Bytes) {
  for (const std::string letter : {"x", "é", "台", "\xf0\xa0\x80\x80"}) {
    for (size_t count = 1; count < 200; ++count) {
      std::string scene;
      for (size_t i = 0; i < count; ++i) scene += letter;
      const std::string name = NameOf(scene, {{"queries", "4.5"}});
      ASSERT_LE(name.size(), 180U);
      ASSERT_THAT(name, EndsWith(".png"));
      ASSERT_EQ(name.find('?'), std::string::npos);
      ASSERT_EQ(PrintableText(name), name);  // well-formed
      ASSERT_THAT(name, StartsWith(scene.substr(0, 100 / letter.size() * letter.size())));
    }
  }
  const std::string long_scene(300, 'x');
  EXPECT_NE(NameOf(long_scene, {{"queries", "4.5"}}), NameOf(long_scene, {{"queries", "4.6"}}));
}

}  // namespace
}  // namespace vggt
