// SPDX-License-Identifier: Apache-2.0
#include "server/row_answer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "attention/request_words.h"
#include "core/parallel.h"
#include "routes_testing.h"
#include "server/message.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ArraysOf;
using testing::BodyOf;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::HeaderOf;
using testing::StoreRoutesTest;
using testing::WhatOf;

class RowAnswer : public ::testing::Test {
 protected:
  // Two layers, one head, one of three frames of 3×4 patches behind two special tokens.
  RowAnswer() : description_(testing::SmallQkDescription()) {
    request_.layers = {0, 1};
    request_.heads = {2};
    request_.frame = 1;
    request_.tokens = {1, 7};
    request_.frames = {2};
    answer_.shape = {2, 1, 1, 14};
    answer_.values = FloatBuffer(28);
    for (int i = 0; i < 28; ++i) answer_.values[i] = static_cast<float>(i);
  }

  NpyArray Array() {
    bytes_ = RowsNpy(request_, description_, answer_);
    return ParseNpy(testing::AsBytes(bytes_), "answer");
  }
  float At(const NpyArray& array, size_t i) const {
    float value;
    std::memcpy(&value, array.data.data() + i * sizeof(float), sizeof(float));
    return value;
  }

  QkDescription description_;
  AttentionRequest request_;
  AttentionAnswer answer_;
  std::string bytes_;
};

TEST_F(RowAnswer, ArraysOfPatchesOrOfAllTokens) {
  const NpyArray patches = Array();
  EXPECT_EQ(patches.descr, "<f4");
  EXPECT_EQ(patches.shape, (Shape{2, 1, 1, 3, 4}));
  EXPECT_EQ(At(patches, 0), 2);
  EXPECT_EQ(At(patches, 11), 13);
  EXPECT_EQ(At(patches, 12), 16);
  request_.all_tokens = true;
  const NpyArray all = Array();
  EXPECT_EQ(all.shape, (Shape{2, 1, 1, 14}));
  for (size_t i = 0; i < 28; ++i) EXPECT_EQ(At(all, i), static_cast<float>(i));
}

TEST_F(RowAnswer, JsonSaysWhatWasAskedAndTheSums) {
  answer_.dropped = {0.25, 0.5};
  request_.definition = Definition::kPatches;
  const OrderedJson json = RowsJson(request_, description_, answer_);
  EXPECT_EQ(json["definition"], "patches");
  EXPECT_EQ(json["block"], "global");
  EXPECT_EQ(json["rope"], "after");
  EXPECT_EQ(json["reduce"], "none");
  EXPECT_EQ(json["layers"], OrderedJson({1, 5}));
  EXPECT_EQ(json["heads"], OrderedJson({2}));
  EXPECT_EQ(json["shape"], OrderedJson({2, 1, 1, 3, 4}));
  EXPECT_EQ(json["query"]["frame"], 1);
  EXPECT_EQ(json["query"]["tokens"].dump(), R"([{"token":"register_1"},{"row":1,"col":1}])");
  EXPECT_EQ(json["special_mass"].dump(), "[[[1.0]],[[29.0]]]");
  EXPECT_EQ(json["patch_mass"].dump(), "[[[90.0]],[[258.0]]]");
  EXPECT_EQ(json["dropped"].dump(), "[[0.25],[0.5]]");
}

TEST_F(RowAnswer, LogitsHaveNoSums) {
  request_.definition = Definition::kLogits;
  const OrderedJson json = RowsJson(request_, description_, answer_);
  EXPECT_FALSE(json.contains("patch_mass") || json.contains("dropped"));
}

AttentionRequest ParseSmall(RequestParams params) {
  params.emplace_back("definition", "patches");
  return ParseRowRequest(params, testing::SmallQkDescription());
}

TEST(RowRequest, EveryFieldIsAParameter) {
  const AttentionRequest q = ParseSmall({{"row", "1"},
                                         {"col", "2"},
                                         {"layers", "5,1"},
                                         {"heads", "3,1"},
                                         {"reduce", "max"},
                                         {"frame", "2"},
                                         {"frames", "1"},
                                         {"rope", "before"},
                                         {"incoming", "1"},
                                         {"tokens", "all"},
                                         {"export", "x"}});
  EXPECT_EQ(q.definition, Definition::kPatches);
  EXPECT_THAT(q.layers, ElementsAre(1, 0));
  EXPECT_THAT(q.heads, ElementsAre(3, 1));
  EXPECT_EQ(q.reduction, HeadReduction::kMax);
  EXPECT_EQ(q.frame, 2);
  EXPECT_THAT(q.frames, ElementsAre(1));
  EXPECT_THAT(q.tokens, ElementsAre(2 + 1 * 4 + 2));
  EXPECT_TRUE(q.before_rope && q.incoming && q.all_tokens);
}

TEST(RowRequest, NamesAreKnownAndGivenOnce) {
  for (const auto& [params, said] :
       {std::pair<RequestParams, const char*>{{{"token", "camera"}, {"lyers", "1"}},
                                              "'lyers' is unknown"},
        {{{"token", "camera"}, {"token", "camera"}}, "'token' is given twice"}}) {
    try {
      ParseSmall(params);
      ADD_FAILURE() << "was accepted";
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.status(), 400);
      EXPECT_THAT(refusal.what(), HasSubstr(said));
    }
  }
  EXPECT_THROW(ParseSmall({{"token", "cls"}}), RequestError);
}

TEST(RowRequest, OneAnswerHoldsSoMuch) {
  QkDescription d = testing::SmallQkDescription();
  d.blocks.resize(1);
  d.frames = 1000;
  d.H_p = d.W_p = 37;
  const auto ask = [&](const char* heads) {
    return ParseRowRequest(
        {{"token", "camera"}, {"definition", "model"}, {"heads", heads}, {"layers", "all"}}, d);
  };
  EXPECT_EQ(ask("all").heads.size(), 3U);  // 2 layers, 3 heads of 5.5 MB each
  d.frames = 3000;
  EXPECT_EQ(ask("mean").heads.size(), 3U);
  EXPECT_EQ(ask("3").heads.size(), 1U);
  EXPECT_THAT(ErrorOf([&] { return ask("all").all_tokens; }),
              HasSubstr("98.7 MB of maps, at most 64 MiB fit in one answer. Ask for fewer layers"));
}

TEST(RowRequest, WhatIsHopelessIsRefused) {
  CheckCost(1e11, 2);  // half a minute or less of some processor
  EXPECT_THAT(ErrorOf([] { CheckCost(1e12, 2); }), HasSubstr("far too long"));
  CheckCost(1e12, 16);
}

// Through an address.

// The arrays of a body, one behind the other.
std::vector<NpyArray> AllArraysOf(const Response& response) {
  std::vector<NpyArray> arrays;
  Bytes rest = testing::AsBytes(response.body);
  while (!rest.empty()) {
    const NpyLayout layout =
        ParseNpyHeader(rest.first(std::min(rest.size(), kLongestNpyHeader)), "");
    const size_t end = layout.data + NpyDataSize(layout);
    arrays.push_back(ParseNpy(rest.first(end), "part of a body"));
    rest = rest.subspan(end);
  }
  return arrays;
}

TEST_F(StoreRoutesTest, ExactMapsAreFloats) {
  const Response response = Rows({{"heads", "all"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const LayerMetadata m = OpenExport(export_).maps.back().metadata;
  const auto [array, dropped] = ArraysOf(response);
  EXPECT_EQ(array.descr, "<f4");
  EXPECT_EQ(array.shape, (Shape{1, 3, m.frames, m.H_p, m.W_p}));
  EXPECT_EQ(HeaderOf(response, "X-Definition"), "patches");
  ASSERT_EQ(dropped.size(), 3U);
  EXPECT_THAT(HeaderOf(response, "Server-Timing"), HasSubstr("maps;dur="));
  const Json json = BodyOf(Rows({{"heads", "all"}}, "/api/maps.json"));
  EXPECT_EQ(json["dropped"][0], Json(dropped));
  EXPECT_GT(dropped[0], 0);
  EXPECT_EQ(HeaderOf(response, "X-Export"), "a");
  EXPECT_EQ(json["export"], "a");
  double sum = 0;
  for (const double mass : json["patch_mass"][0][1]) sum += mass;
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_F(StoreRoutesTest, StatsComeBehindWhatIsThereWithout) {
  const LayerMetadata m = OpenExport(export_).maps.back().metadata;
  const RequestParams one_frame = {{"layers", "all"}, {"heads", "all"}, {"frames", "1"}};
  RequestParams asked = one_frame;
  asked.emplace_back("stats", "1");
  const Response response = Rows(asked);
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_TRUE(response.body.starts_with(Rows(one_frame).body));
  const std::vector<NpyArray> arrays = AllArraysOf(response);
  ASSERT_EQ(arrays.size(), 5U);
  EXPECT_EQ(arrays[2].shape, (Shape{2, 3, 3}));
  EXPECT_EQ(arrays[3].shape, (Shape{2, 3, m.frames}));
  EXPECT_EQ(arrays[4].shape, (Shape{3}));
  // Whatever frames are asked for, they are over all.
  const Response of_all = Rows({{"layers", "all"}, {"heads", "all"}, {"stats", "1"}});
  const std::vector<NpyArray> others = AllArraysOf(of_all);  // views of its body
  for (size_t i = 2; i < 5; ++i) {
    EXPECT_TRUE(std::ranges::equal(arrays[i].data, others[i].data)) << i;
  }
  asked.back().second = "0";
  EXPECT_EQ(Rows(asked).body, Rows(one_frame).body);
  asked.back().second = "yes";
  EXPECT_EQ(Rows(asked).status, 400);
  EXPECT_EQ(BodyOf(Rows(asked))["error"]["where"], "stats");
  EXPECT_EQ(Rows({{"stats", "1"}}, "/api/maps.json").status, 400);
  EXPECT_EQ(Maps({{"stats", "1"}}).status, 400);  // stored maps have none
}

TEST_F(StoreRoutesTest, WhatCannotBeAnswered) {
  const Response none =
      Get("/api/maps.npy", {{"export", "b"}, {"definition", "model"}, {"token", "camera"}});
  EXPECT_EQ(none.status, 404);
  EXPECT_THAT(WhatOf(none), HasSubstr("no queries and keys"));
  EXPECT_EQ(Rows({{"layers", "2"}}).status, 404);
  EXPECT_EQ(Rows({{"frame", "99"}}).status, 400);
  fs::resize_file(export_ / "qk/global_05.safetensors", 1000);
  const Response cut = Rows({});
  EXPECT_EQ(cut.status, 422);
  EXPECT_THAT(cut.body, HasSubstr("global_05.safetensors"));
  fs::remove(export_ / "qk/global_05.safetensors");
  EXPECT_EQ(Rows({}).status, 404);
  EXPECT_EQ(Rows({{"layers", "1"}}).status, 200);
}

TEST_F(StoreRoutesTest, WrongRequestsNameTheParameter) {
  const Json error = BodyOf(Rows({{"layers", "x"}}))["error"];
  EXPECT_EQ(error["where"], "layers");
  EXPECT_EQ(error["what"], "'x' is no whole number");
  const Json none = BodyOf(Get("/api/maps.npy", {{"definition", "model"}}))["error"];
  EXPECT_EQ(none["what"], "no query is given");
  EXPECT_EQ(none["hint"], "Give one of row and col, rows and cols, cells, token.");
  EXPECT_EQ(Rows({{"block", "none"}}).status, 400);
  EXPECT_EQ(Get("/api/maps.npy", {{"definition", "model"}, {"token", "cls"}}).status, 404);
}

TEST_F(StoreRoutesTest, WhatNobodyWaitsForIsNotComputed) {
  Request request;
  request.method = "GET";
  request.path = "/api/maps.npy";
  request.host = "localhost";
  request.params = {{"definition", "model"}, {"token", "camera"}, {"incoming", "1"}};
  const auto abandoned = std::make_shared<std::atomic<bool>>(true);
  request.abandoned = abandoned;
  EXPECT_EQ(routes_->Handle(request).status, 503);
  *abandoned = false;
  EXPECT_EQ(routes_->Handle(request).status, 200);
}

TEST_F(StoreRoutesTest, AnswersHaveTheirTime) {
  const Routes routes(*catalog_, AccessRule{"127.0.0.1", ""}, std::chrono::milliseconds(0));
  Request request;
  request.method = "GET";
  request.path = "/api/maps.npy";
  request.host = "localhost";
  request.params = {{"definition", "model"}, {"token", "camera"}};
  const Response late = routes.Handle(request);
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(HeaderOf(late, "Retry-After"), "5");
  EXPECT_THAT(WhatOf(late), HasSubstr("was not computed within 0 s"));
  EXPECT_THAT(late.body, HasSubstr("Ask for fewer layers"));
}

// Threads that answer clients work alone, but do not compute the answers.
TEST_F(StoreRoutesTest, CostsAreThoseOfAllThreads) {
  QkDescription d = testing::SmallQkDescription(20, 37, 37, 4);
  d.blocks.resize(1);
  d.blocks[0].heads = 200;
  d.blocks[0].layers.resize(1);
  const fs::path qk = dir_ / "root/large" / kQkFolderName;
  fs::create_directories(qk);
  WriteFileAtomic(qk / kQkDescriptionName, QkDescriptionText(d));
  // A layer of zeros, which take no room on disk.
  const Shape shape = d.shape(d.blocks[0]);
  const int64_t bytes = 2 * NumElements(shape);
  const auto tensor = [&](int64_t begin) {
    return Json{{"dtype", "F16"}, {"shape", shape}, {"data_offsets", {begin, begin + bytes}}};
  };
  const fs::path layer = qk / d.blocks[0].layers[0].file;
  std::string header = Json{{"q", tensor(0)}, {"k", tensor(bytes)}}.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t header_bytes = header.size();
  header.insert(0, reinterpret_cast<const char*>(&header_bytes), sizeof(header_bytes));
  WriteFileAtomic(layer, header);
  fs::resize_file(layer, header.size() + static_cast<size_t>(2 * bytes));
  Request request;
  request.method = "GET";
  request.path = "/api/maps.npy";
  request.host = "localhost";
  request.params = {{"export", catalog_->Open("large")->id},
                    {"definition", "model"},
                    {"token", "camera"},
                    {"heads", "all"},
                    {"incoming", "1"}};
  const int threads_before = ThreadCount();
  std::vector<int> status;
  std::string said;
  for (const int threads : {1, 4}) {
    SetThreadCount(threads);
    const Routes routes(*catalog_, AccessRule{"127.0.0.1", ""}, std::chrono::milliseconds(0));
    std::thread([&] {
      WorkAloneHere();
      const Response response = routes.Handle(request);
      status.push_back(response.status);
      said += response.body;
    }).join();
  }
  SetThreadCount(threads_before);
  EXPECT_THAT(status, ::testing::ElementsAre(400, 503)) << said;
}

}  // namespace
}  // namespace vggt
