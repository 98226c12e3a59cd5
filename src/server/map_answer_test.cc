// SPDX-License-Identifier: Apache-2.0
#include "server/map_answer.h"

#include <gmock/gmock.h>

#include "attention/request_words.h"
#include "server/message.h"
#include "store/maps/map_reader.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Layers 1, 2 and 5, three heads, two frames of 4 x 6 cells.
std::vector<MapLayer> Described() {
  std::vector<MapLayer> layers;
  for (const int64_t index : {0, 1, 4}) {
    MapLayer layer;
    layer.index = index;
    LayerMetadata& m = layer.metadata;
    m.frames = 2;
    m.H_ds = 4;
    m.W_ds = 6;
    m.per_head_data = true;
    m.num_heads = 3;
    layers.push_back(layer);
  }
  return layers;
}

MapRequest ParseMaps(RequestParams query, const std::vector<MapLayer>& described = Described()) {
  query.emplace_back("row", "3");
  query.emplace_back("col", "5");
  return ParseMapRequest(query, described);
}

struct Refused {
  int status = 0;
  std::string text;
};

Refused RefusalOf(const RequestParams& query,
                  const std::vector<MapLayer>& described = Described()) {
  try {
    ParseMapRequest(query, described);
  } catch (const Refusal& refusal) {
    return {refusal.status(), refusal.what()};
  } catch (const RequestError& error) {
    return {error.kind() == RequestError::Kind::kNotThere ? 404 : 400, error.what()};
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

TEST(MapAnswer, Defaults) {
  const MapRequest query = ParseMaps({});
  EXPECT_THAT(query.layers, ElementsAre(2));
  EXPECT_THAT(query.heads, ElementsAre(kMeanOfHeads));
  EXPECT_THAT(query.frames, ElementsAre(0, 1));
  EXPECT_EQ(query.row, 3);
  EXPECT_EQ(query.col, 5);
}

TEST(MapAnswer, ListsKeepTheirOrder) {
  const MapRequest query =
      ParseMaps({{"layers", "5,1"}, {"heads", "3,1,2"}, {"frames", "1,0"}, {"export", "x"}});
  EXPECT_THAT(query.layers, ElementsAre(2, 0));
  EXPECT_THAT(query.heads, ElementsAre(3, 1, 2));
  EXPECT_THAT(query.frames, ElementsAre(1, 0));
}

TEST(MapAnswer, All) {
  const MapRequest query = ParseMaps({{"layers", "all"}, {"heads", "all"}, {"frames", "all"}});
  EXPECT_THAT(query.layers, ElementsAre(0, 1, 2));
  EXPECT_THAT(query.heads, ElementsAre(1, 2, 3));
  EXPECT_THAT(query.frames, ElementsAre(0, 1));
}

TEST(MapAnswer, NumbersAreDigits) {
  for (const char* text : {"", "1x", "-1", "+1", " 1", "1 ", "1e30", "0x1", "1.0", "99999999999999",
                           "18446744073709551617", "1,,2", ",1", "1,", "4", "one"}) {
    for (const char* name : {"heads", "layers", "frames", "row", "col"}) {
      const std::string key = name;
      if (std::string(text) == "4" && (key == "layers" || key == "col")) continue;
      RequestParams query = {{"row", "0"}, {"col", "0"}};
      std::erase_if(query, [&](const auto& pair) { return pair.first == key; });
      query.emplace_back(key, text);
      EXPECT_EQ(RefusalOf(query).status, 400) << key << "=" << text;
    }
  }
}

TEST(MapAnswer, SaysWhatIsWrong) {
  const RequestParams cell = {{"row", "0"}, {"col", "0"}};
  const auto with = [&](const char* name, const char* value) {
    RequestParams query = cell;
    query.emplace_back(name, value);
    return RefusalOf(query);
  };
  EXPECT_THAT(RefusalOf({{"row", "0"}}).text, HasSubstr("'col' is missing. Give one from 0 to 5"));
  EXPECT_THAT(RefusalOf({{"row", "4"}, {"col", "0"}}).text,
              HasSubstr("row: there is no row 4. They run from 0 to 3."));
  EXPECT_THAT(with("col", "1").text, HasSubstr("'col' is given twice"));
  EXPECT_THAT(with("head", "1").text, HasSubstr("'head' is unknown"));
  EXPECT_THAT(with("heads", "1,2,1").text, HasSubstr("heads: head 1 is named twice"));
  EXPECT_THAT(with("heads", "0").text,
              HasSubstr("heads: there is no head 0. They run from 1 to 3."));
  EXPECT_THAT(with("heads", "mean,1").text, HasSubstr("no whole number"));
  EXPECT_EQ(with("layers", "3").status, 404);
  EXPECT_THAT(with("layers", "3").text,
              HasSubstr("the export has no layer 3. Its layers are 1, 2, 5."));
}

TEST(MapAnswer, HeadsThatAreNotThere) {
  std::vector<MapLayer> layers = Described();
  for (MapLayer& layer : layers) layer.metadata.per_head_data = false;
  EXPECT_THAT(ParseMaps({{"heads", "mean"}}, layers).heads, ElementsAre(kMeanOfHeads));
  for (const char* heads : {"1", "all"}) {
    const Refused refused = RefusalOf({{"row", "0"}, {"col", "0"}, {"heads", heads}}, layers);
    EXPECT_EQ(refused.status, 400);
    EXPECT_THAT(refused.text, HasSubstr("the mean of the heads only"));
  }
}

TEST(MapAnswer, OneAnswerIsBounded) {
  std::vector<MapLayer> layers = Described();
  const auto resize = [&](int64_t heads, int64_t side) {
    for (MapLayer& layer : layers) {
      layer.metadata.num_heads = heads;
      layer.metadata.H_ds = layer.metadata.W_ds = side;
    }
  };
  const RequestParams all = {{"row", "0"}, {"col", "0"}, {"heads", "all"}, {"layers", "all"}};
  resize(1365, 4);
  EXPECT_EQ(ParseMapRequest(all, layers).heads.size(), 1365U);
  resize(1366, 4);
  EXPECT_THAT(RefusalOf(all, layers).text,
              HasSubstr("4098 maps of layers and heads, at most 4096"));
  resize(8, 1182);
  EXPECT_EQ(ParseMapRequest(all, layers).heads.size(), 8U);
  resize(8, 1183);
  EXPECT_THAT(RefusalOf(all, layers).text, HasSubstr("67.2 MB of maps, at most 64 MiB"));
  resize(1000, 1'000'000);
  EXPECT_EQ(RefusalOf(all, layers).status, 400);
}

}  // namespace
}  // namespace vggt
