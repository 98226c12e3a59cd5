// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_reader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>
#include <thread>

#include "formats/json.h"
#include "formats/npy.h"
#include "store/maps/map_writer.h"
#include "store/maps/maps_folder.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

struct Shown {
  std::vector<uint8_t> levels;
  std::vector<double> scales;
};

Shown Show(const MapReader& reader, size_t layer, int64_t query, const std::vector<int>& heads,
           const std::vector<int>& frames) {
  const LayerMetadata& m = reader.layers().front().metadata;
  Shown shown{std::vector<uint8_t>(heads.size() * frames.size() * m.H_ds * m.W_ds),
              std::vector<double>(heads.size())};
  reader.Read(layer, query, heads, frames, shown.levels, shown.scales);
  return shown;
}

std::vector<int> UpTo(int64_t count, int first) {
  std::vector<int> numbers(count);
  for (int& number : numbers) number = first++;
  return numbers;
}

// numpy.quantile(values, 0.99), by sorting.
float SlowPercentile(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  const double place = 0.99 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const float a = values[below], b = values[std::min(below + 1, values.size() - 1)];
  return static_cast<float>(a + (b - a) * (place - static_cast<double>(below)));
}

// The mean of heads [heads][values], in the plainest way.
Shown SlowMean(const std::vector<std::vector<float>>& heads) {
  std::vector<float> mean(heads[0].size());
  for (size_t i = 0; i < mean.size(); ++i) {
    for (const auto& head : heads) mean[i] += head[i];
    mean[i] /= static_cast<float>(heads.size());
  }
  float vmax = SlowPercentile(mean);
  if (vmax == 0) vmax = *std::max_element(mean.begin(), mean.end());
  Shown shown{{}, {vmax + 1e-8}};
  for (const float p : mean) {
    const float share = std::clamp(p / static_cast<float>(vmax + 1e-8), 0.0F, 1.0F);
    shown.levels.push_back(static_cast<uint8_t>(share * 255.0F + 0.5F));
  }
  return shown;
}

void ExpectClose(const Shown& got, const Shown& expected) {
  ASSERT_EQ(got.levels.size(), expected.levels.size());
  for (size_t i = 0; i < got.levels.size(); ++i) {
    ASSERT_NEAR(got.levels[i], expected.levels[i], 1) << i;
  }
  EXPECT_NEAR(got.scales[0], expected.scales[0], 1e-6 * expected.scales[0]);
}

// 3 frames and 2×4 cells with strides: 8 queries, 4 heads; levels that differ everywhere.
LayerMetadata Small() {
  LayerMetadata m;
  m.frames = 3;
  m.H_p = 3;
  m.W_p = 11;
  m.stride_h = 2;
  m.stride_w = 3;
  m.H_ds = 2;
  m.W_ds = 4;
  m.image_paths = {"../images/0.png", "../images/1.png", "../images/2.png"};
  return m;
}

constexpr MapExtents kSmall{.queries = 8, .heads = 4, .frames = 3, .height = 2, .width = 4};

LayerMaps SmallMaps(bool per_head, unsigned seed) {
  std::mt19937 generator(seed);
  std::exponential_distribution<float> random(100);
  std::vector<float> p(kSmall.queries * (per_head ? kSmall.heads : 1) * kSmall.keys());
  for (float& x : p) x = random(generator);
  MapExtents extents = kSmall;
  if (!per_head) extents.heads = 1;
  return QuantizeLayer(p.data(), extents, per_head);
}

// Two layers, as this project writes them.
std::vector<LayerMaps> WriteSmall(const fs::path& folder, bool per_head, bool compress) {
  fs::create_directory(folder);
  MapWriter writer(folder, "small", Small(), compress);
  std::vector<LayerMaps> layers;
  for (unsigned i = 0; i < 2; ++i) {
    layers.push_back(SmallMaps(per_head, i));
    writer.WriteLayer(i, layers.back());
  }
  writer.Finish();
  return layers;
}

std::vector<uint8_t> Part(const std::vector<uint8_t>& values, int64_t index, int64_t size) {
  return {values.begin() + index * size, values.begin() + (index + 1) * size};
}

TEST(MapReader, SingleHeadsAreAsStored) {
  for (const bool compress : {false, true}) {
    const TestDir dir;
    const std::vector<LayerMaps> layers = WriteSmall(dir / "e", true, compress);
    const MapReader reader(
        OpenMapsFolder(dir / "e").layers,
        {.cache = std::make_shared<InflatedCache>(dir.path(), uint64_t{8} << 30)});
    for (size_t layer = 0; layer < 2; ++layer) {
      for (int query = 0; query < 8; ++query) {
        const Shown all = Show(reader, layer, query, UpTo(4, 1), UpTo(3, 0));
        EXPECT_EQ(all.levels, Part(layers[layer].levels, query, 4 * 24));
        EXPECT_EQ(all.scales, layers[layer].per_head_vmax99);
      }
      // Some, in the order that is asked for.
      const Shown some = Show(reader, layer, 5, {4, 2}, {2, 0});
      std::vector<uint8_t> expected;
      for (const int head : {4, 2}) {
        for (const int frame : {2, 0}) {
          const auto part = Part(layers[layer].levels, (5 * 4 + head - 1) * 3 + frame, 8);
          expected.insert(expected.end(), part.begin(), part.end());
        }
      }
      EXPECT_EQ(some.levels, expected);
      EXPECT_EQ(some.scales[0], layers[layer].per_head_vmax99[3]);
    }
  }
}

TEST(MapReader, AveragedMapsAreAsStored) {
  const TestDir dir;
  const std::vector<LayerMaps> layers = WriteSmall(dir / "e", false, true);
  const MapReader reader(OpenMapsFolder(dir / "e").layers, {});
  const Shown shown = Show(reader, 1, 3, {kMeanOfHeads}, UpTo(3, 0));
  EXPECT_EQ(shown.levels, Part(layers[1].levels, 3, 24));
  EXPECT_EQ(shown.scales[0], layers[1].layer_vmax99);
  EXPECT_THAT(ErrorOf([&] { Show(reader, 1, 3, {1}, {0}); }), HasSubstr("head 1 is asked for"));
}

TEST(MapReader, TheMeanIsThatOfASlowTwin) {
  const TestDir dir;
  const std::vector<LayerMaps> layers = WriteSmall(dir / "e", true, true);
  const MapReader reader(OpenMapsFolder(dir / "e").layers, {});
  for (int query = 0; query < 8; ++query) {
    std::vector<std::vector<float>> heads(4);
    for (int head = 0; head < 4; ++head) {
      const auto scale = static_cast<float>(layers[0].per_head_vmax99[head]);
      for (const uint8_t level : Part(layers[0].levels, query * 4 + head, 24)) {
        heads[head].push_back(static_cast<float>(level) / 255.0F * scale);
      }
    }
    const Shown expected = SlowMean(heads);
    ExpectClose(Show(reader, 0, query, {kMeanOfHeads}, UpTo(3, 0)), expected);
    // Its percentile is that of all frames, whichever are asked for.
    const Shown one = Show(reader, 0, query, {3, kMeanOfHeads}, {1});
    ExpectClose({{one.levels.begin() + 8, one.levels.end()}, {one.scales[1]}},
                {Part(expected.levels, 1, 8), expected.scales});
  }
}

TEST(MapReader, OfTheGoldenExportToo) {
  const MapReader reader(OpenMapsFolder(Golden("export/conv_per_head")).layers, {});
  const MapLayer& layer = reader.layers()[2];
  const StoredMaps stored = ReadMaps(layer);  // [90, 4, 3, 9, 10]
  std::vector<std::vector<float>> heads(4);
  for (int head = 0; head < 4; ++head) {
    EXPECT_EQ(Show(reader, 2, 17, {head + 1}, UpTo(3, 0)).levels,
              Part(stored.levels, 17 * 4 + head, 270));
    const auto scale = static_cast<float>(layer.metadata.per_head_vmax99[head]);
    for (const uint8_t level : Part(stored.levels, 17 * 4 + head, 270)) {
      heads[head].push_back(static_cast<float>(level) / 255.0F * scale);
    }
  }
  ExpectClose(Show(reader, 2, 17, {kMeanOfHeads}, UpTo(3, 0)), SlowMean(heads));
}

// Raw maps as the Python toolkit can save them, in every container.
class RawMaps : public ::testing::TestWithParam<const char*> {
 protected:
  // Two queries, two heads, one frame of 1×2 cells: values, also such that are none.
  static constexpr float kNone = -1;
  const std::vector<float> values_ = {0.5F, 0.25F, 0.125F, 0, NAN, 0.75F, kNone, INFINITY};

  void Write(const fs::path& folder, bool per_head_vmax) const {
    const std::string file = GetParam();
    const bool half = file.starts_with("half");
    std::vector<uint8_t> bytes;
    for (const float value : values_) {
      const uint16_t bits = F32ToF16(value);
      const auto* from =
          half ? reinterpret_cast<const uint8_t*>(&bits) : reinterpret_cast<const uint8_t*>(&value);
      bytes.insert(bytes.end(), from, from + (half ? 2 : 4));
    }
    const std::string descr = half ? "<f2" : "<f4";
    const Shape shape{2, 2, 1, 1, 2};
    if (file.ends_with(".npy")) {
      WriteFileAtomic(folder / file,
                      NpyHeader(descr, shape) + std::string(bytes.begin(), bytes.end()));
    } else {
      WriteNpz(folder / file, "arr_0", descr, shape, bytes, file.find("deflated") != file.npos);
    }
    OrderedJson json = {{"S", 1},
                        {"H_ds", 1},
                        {"W_ds", 2},
                        {"normalized_by", "none"},
                        {"layer_vmax99", 0.5},
                        {"image_paths", {"a.png"}}};
    json[file.ends_with(".npy") ? "npy_path" : "npz_path"] = file;
    if (per_head_vmax) json["per_head_vmax99"] = {0.25, 1.0};
    WriteFileAtomic(folder / "layer_01_metadata.json", DumpJson(json));
  }
};

TEST_P(RawMaps, AreShownByTheSameFormula) {
  using ::testing::ElementsAre;
  const TestDir dir;
  Write(dir.path(), false);
  const MapReader plain(OpenMapsFolder(dir.path()).layers, {});
  EXPECT_THAT(Show(plain, 0, 0, {1, 2}, {0}).levels, ElementsAre(255, 128, 64, 0));
  EXPECT_THAT(Show(plain, 0, 0, {1, 2}, {0}).scales, ElementsAre(0.5, 0.5));
  // Mean 0.3125, 0.125.
  const Shown mean = Show(plain, 0, 0, {kMeanOfHeads}, {0});
  EXPECT_NEAR(mean.scales[0], 0.125 + 0.99 * 0.1875, 1e-7);
  EXPECT_THAT(mean.levels, ElementsAre(255, 103));
  // What is no attention counts as 0.
  EXPECT_THAT(Show(plain, 0, 1, {1, 2}, {0}).levels, ElementsAre(0, 255, 0, 0));
  EXPECT_THAT(Show(plain, 0, 1, {kMeanOfHeads}, {0}).levels, ElementsAre(0, 255));
  Write(dir.path(), true);
  const MapReader scaled(OpenMapsFolder(dir.path()).layers, {});
  EXPECT_THAT(Show(scaled, 0, 0, {2, 1}, {0}).levels, ElementsAre(32, 0, 255, 255));
  EXPECT_THAT(Show(scaled, 0, 0, {2, 1}, {0}).scales, ElementsAre(1.0, 0.25));
}

INSTANTIATE_TEST_SUITE_P(Files, RawMaps,
                         ::testing::Values("half.npy", "half_stored.npz", "half_deflated.npz",
                                           "float.npy", "float_stored.npz", "float_deflated.npz"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(MapReader, NumbersOutOfRangeAreRefused) {
  const TestDir dir;
  WriteSmall(dir / "e", true, false);
  const MapReader reader(OpenMapsFolder(dir / "e").layers, {});
  EXPECT_THAT(ErrorOf([&] { Show(reader, 2, 0, {1}, {0}); }),
              HasSubstr("layer 2 is asked for, expected 0 … 1"));
  EXPECT_THAT(ErrorOf([&] { Show(reader, 0, 8, {1}, {0}); }),
              HasSubstr("query 8 is asked for, expected 0 … 7"));
  EXPECT_THAT(ErrorOf([&] { Show(reader, 0, -1, {1}, {0}); }), HasSubstr("query -1"));
  EXPECT_THAT(ErrorOf([&] { Show(reader, 0, 0, {5}, {0}); }), HasSubstr("head 5"));
  EXPECT_THAT(ErrorOf([&] { Show(reader, 0, 0, {-1}, {0}); }), HasSubstr("head -1"));
  EXPECT_THAT(ErrorOf([&] { Show(reader, 0, 0, {1}, {3}); }), HasSubstr("frame 3"));
  EXPECT_THAT(ErrorOf([&] { reader.Prepare(2); }), HasSubstr("layer 2"));
  std::vector<uint8_t> small(7);
  std::vector<double> scale(1);
  const int head[] = {1}, frame[] = {0};
  EXPECT_THAT(ErrorOf([&] { reader.Read(0, 0, head, frame, small, scale); }),
              HasSubstr("room for 7 levels and 1 scales, which does not fit 1 heads of 1 frames"));
}

TEST(MapReader, OneLayerThatCannotBeReadLeavesTheOthers) {
  const TestDir dir;
  WriteSmall(dir / "e", true, true);
  const fs::path array = dir / "e/attn_maps/layer_01/heatmaps_uint8.npz";
  const auto error = [&] {
    const MapReader reader(OpenMapsFolder(dir / "e", dir / "e").layers, {.root = dir / "e"});
    EXPECT_EQ(Show(reader, 1, 0, {1}, {0}).levels.size(), 8U);
    return ErrorOf([&] { Show(reader, 0, 0, {1}, {0}); });
  };
  const std::vector<uint8_t> some(8 * 4 * 3 * 8);
  WriteNpz(array, "heatmaps", "|u1", {8, 4, 3, 4, 2}, some, true);
  EXPECT_THAT(error(), HasSubstr("is |u1 of shape [8, 4, 3, 4, 2], its metadata announces |u1, "
                                 "<f2 or <f4 of [8, 4, 3, 2, 4]"));
  WriteNpz(array, "heatmaps", "|i1", {8, 4, 3, 2, 4}, some, true);
  EXPECT_THAT(error(), HasSubstr("is |i1 of shape"));
  WriteNpz(array, "heatmaps", "|u1", {8, 4, 3, 2, 4}, some, true);
  std::string text = ReadFile(array);
  text[text.rfind("PK\1\2") + 16] ^= 1;
  WriteFileAtomic(array, text);
  EXPECT_THAT(error(), HasSubstr("does not match its checksum"));
  fs::remove(array);
  EXPECT_THAT(error(), HasSubstr("which is missing"));
}

TEST(MapReader, AVanishedFolderIsAnErrorAndNotTheEnd) {
  const TestDir dir;
  WriteSmall(dir / "e", true, true);
  const MapReader reader(OpenMapsFolder(dir / "e").layers, {});
  const Shown before = Show(reader, 0, 0, {1}, {0});
  fs::remove_all(dir / "e");
  EXPECT_EQ(Show(reader, 0, 0, {1}, {0}).levels, before.levels);  // was inflated
  EXPECT_THROW(Show(reader, 1, 0, {1}, {0}), MissingFile);
}

TEST(MapReader, ManyThreadsOneReader) {
  const TestDir dir;
  const std::vector<LayerMaps> layers = WriteSmall(dir / "e", true, true);
  fs::create_directory(dir / "cache");
  // Room for one of the two layers.
  const MapReader reader(OpenMapsFolder(dir / "e").layers,
                         {.cache = std::make_shared<InflatedCache>(dir / "cache", 15'000)});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const int query = (t + i) % 8, layer = (t + i / 10) % 2;
        const Shown shown = Show(reader, layer, query, UpTo(4, 1), UpTo(3, 0));
        if (shown.levels != Part(layers[layer].levels, query, 4 * 24)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(fs::is_empty(dir / "cache"));
}

}  // namespace
}  // namespace vggt
