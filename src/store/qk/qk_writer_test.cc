// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_writer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "formats/safetensors.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// Two frames of 1 × 2 patches; a camera token before them, or nothing.
QkDescription Description() {
  QkDescription d;
  d.image_set_name = "set";
  d.frames = 2;
  d.H_p = 1;
  d.W_p = 2;
  d.image_paths = {"../images/frame_00.png", "../images/frame_01.png"};
  d.provenance.generator = "test";
  d.blocks.push_back({.kind = BlockKind::kGlobal,
                      .heads = 2,
                      .head_dim = 4,
                      .scale = 0.5,
                      .special_tokens = {"camera"},
                      .attends = Attends::kAll,
                      .rope = {.type = RopeType::k2d},
                      .layers = {}});
  d.blocks.push_back({.kind = BlockKind::kEncoder,
                      .heads = 1,
                      .head_dim = 8,
                      .scale = 0.25,
                      .special_tokens = {},
                      .attends = Attends::kFrame,
                      .rope = {},
                      .layers = {}});
  return d;
}

// first, first + 1, …
std::vector<uint16_t> Count(size_t count, uint16_t first) {
  std::vector<uint16_t> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

std::vector<uint16_t> Values(const TensorView& view) {
  std::vector<uint16_t> values(view.bytes.size() / 2);
  std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  return values;
}

// q and k come first, and what is of four bytes is aligned.
TEST(QkWriter, ExtrasFollowQueriesAndKeys) {
  const TestDir dir;
  QkDescription d = Description();
  d.blocks.resize(1);
  d.blocks[0].channels = 5;
  QkWriter writer(dir.path(), d);
  QkExtraValues extras{.x_norm = std::vector<float>(6, 1),
                       .x_unit_sum = std::vector<float>(10, 0.5F),
                       .v_norm = std::vector<float>(12, 1.0F / 3),
                       .wov_norm = {}};
  writer.WriteLayer(BlockKind::kGlobal, 0, Count(48, 100), Count(48, 200), extras);
  writer.Finish();
  const std::string bytes = ReadFile(dir / "qk" / "global_01.safetensors");
  const SafetensorsFile file = ParseSafetensors(testing::AsBytes(bytes), "layer");
  const auto place = [&](const char* name) {
    return file.tensors.at(name).bytes.data() - file.tensors.at("q").bytes.data();
  };
  EXPECT_EQ(file.tensors.size(), 5U);
  EXPECT_EQ(place("k"), 96);
  EXPECT_EQ(place("x_norm"), 192);
  EXPECT_EQ(place("x_unit_sum"), 192 + 24);
  EXPECT_EQ(place("v_norm"), 192 + 24 + 40);
  EXPECT_EQ(file.tensors.at("v_norm").shape, (Shape{2, 6}));
  EXPECT_EQ(Values(file.tensors.at("v_norm")), std::vector<uint16_t>(12, 0x3555));  // 1/3

  extras.v_norm.pop_back();
  EXPECT_THAT(ErrorOf([&] {
                writer.WriteLayer(BlockKind::kGlobal, 1, Count(48, 0), Count(48, 0), extras);
              }),
              HasSubstr("v_norm"));
}

TEST(QkWriter, WhatItWritesCanBeReadAgain) {
  const TestDir dir;
  QkWriter writer(dir / "out", Description());
  // 2 heads of 6 tokens of 4 channels; 1 head of 4 tokens of 8. Layers in any order.
  writer.WriteLayer(BlockKind::kGlobal, 11, Count(48, 100), Count(48, 200));
  writer.WriteLayer(BlockKind::kEncoder, 0, Count(32, 300), Count(32, 400));
  writer.WriteLayer(BlockKind::kGlobal, 2, Count(48, 500), Count(48, 600));
  const uint64_t bytes = writer.Finish();

  uint64_t found = 0;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir / "out" / "qk")) {
    found += entry.file_size();
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(bytes, found);
  EXPECT_THAT(names, ElementsAre("attention.json", "encoder_01.safetensors",
                                 "global_03.safetensors", "global_12.safetensors"));

  const QkDescription read =
      ParseQkDescription(ReadFile(dir / "out" / "qk" / "attention.json"), "attention.json");
  ASSERT_EQ(read.blocks.size(), 2U);
  ASSERT_EQ(read.blocks[0].layers.size(), 2U);
  EXPECT_EQ(read.blocks[0].layers[0].index, 2);
  EXPECT_EQ(read.blocks[0].layers[0].name, "layer_03");
  EXPECT_EQ(read.blocks[0].layers[1].file, "global_12.safetensors");
  EXPECT_EQ(read.blocks[1].layers[0].file, "encoder_01.safetensors");

  const std::string file = ReadFile(dir / "out" / "qk" / "global_12.safetensors");
  const SafetensorsFile layer = ParseSafetensors(testing::AsBytes(file), "layer");
  ASSERT_EQ(layer.tensors.size(), 2U);
  EXPECT_EQ(layer.tensors.at("q").dtype, DType::kF16);
  EXPECT_EQ(layer.tensors.at("q").shape, (Shape{2, 6, 4}));
  EXPECT_EQ(Values(layer.tensors.at("q")), Count(48, 100));
  EXPECT_EQ(Values(layer.tensors.at("k")), Count(48, 200));
  // Values begin at a multiple of 8 bytes.
  EXPECT_EQ((layer.tensors.at("q").bytes.data() - testing::AsBytes(file).data()) % 8, 0);
}

TEST(QkWriter, RefusesWhatTheDescriptionDoesNotAnnounce) {
  const TestDir dir;
  QkWriter writer(dir / "out", Description());
  EXPECT_THAT(ErrorOf([&] { writer.WriteLayer(BlockKind::kFrame, 0, {}, {}); }),
              HasSubstr("the store has no frame blocks"));
  EXPECT_THAT(
      ErrorOf([&] { writer.WriteLayer(BlockKind::kGlobal, 0, Count(48, 0), Count(47, 0)); }),
      HasSubstr("94 bytes are written for tensor 'k', 96 were announced"));
  EXPECT_TRUE(fs::is_empty(dir / "out" / "qk"));
  writer.WriteLayer(BlockKind::kGlobal, 0, Count(48, 0), Count(48, 0));
  EXPECT_THAT(ErrorOf([&] { writer.Finish(); }), HasSubstr("no encoder blocks were written"));
  EXPECT_FALSE(fs::exists(dir / "out" / "qk" / "attention.json"));
}

}  // namespace
}  // namespace vggt
