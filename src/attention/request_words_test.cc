// SPDX-License-Identifier: Apache-2.0
#include "attention/request_words.h"

#include <gmock/gmock.h>

#include <utility>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using Kind = RequestError::Kind;
using Fields = std::vector<std::pair<std::string, std::string>>;

RequestWords Words(const Fields& fields) {
  RequestWords words;
  for (const auto& [name, text] : fields) {
    bool known = false;
    for (const RequestField& field : RequestFields()) {
      if (field.name == name) {
        words.*field.text = text;
        known = true;
      }
    }
    EXPECT_TRUE(known) << name;
  }
  return words;
}

// Global layers 1 and 5 with 3 heads, frame and encoder blocks; 3 frames of 3×4 patches behind two
// special tokens (one in the encoder).
AttentionRequest ParseFields(const Fields& fields) {
  return ParseRequest(Words(fields), testing::SmallQkDescription());
}

AttentionRequest ParseAt(Fields fields) {
  fields.emplace_back("row", "1");
  fields.emplace_back("col", "2");
  return ParseFields(fields);
}

TEST(RequestWords, Defaults) {
  const AttentionRequest q = ParseAt({});
  EXPECT_EQ(q.kind, BlockKind::kGlobal);
  EXPECT_EQ(q.definition, Definition::kModel);
  EXPECT_THAT(q.layers, ElementsAre(1));
  EXPECT_THAT(q.heads, ElementsAre(1, 2, 3));
  EXPECT_EQ(q.reduction, HeadReduction::kMean);
  EXPECT_EQ(q.frame, 0);
  EXPECT_THAT(q.tokens, ElementsAre(2 + 1 * 4 + 2));
  EXPECT_THAT(q.frames, ElementsAre(0, 1, 2));
  EXPECT_FALSE(q.before_rope || q.incoming || q.all_tokens);
}

TEST(RequestWords, EveryParameter) {
  const AttentionRequest q = ParseAt({{"layers", "5,1"},
                                      {"heads", "3,1"},
                                      {"reduce", "max"},
                                      {"frame", "2"},
                                      {"frames", "1"},
                                      {"rope", "before"},
                                      {"incoming", "1"},
                                      {"tokens", "all"}});
  EXPECT_THAT(q.layers, ElementsAre(1, 0));
  EXPECT_THAT(q.heads, ElementsAre(3, 1));
  EXPECT_EQ(q.reduction, HeadReduction::kMax);
  EXPECT_EQ(q.frame, 2);
  EXPECT_THAT(q.frames, ElementsAre(1));
  EXPECT_TRUE(q.before_rope && q.incoming && q.all_tokens);
  EXPECT_EQ(ParseAt({{"heads", "all"}}).reduction, HeadReduction::kNone);
  EXPECT_EQ(ParseAt({{"heads", "mean"}, {"reduce", "max"}}).reduction, HeadReduction::kMax);
  EXPECT_THAT(ParseAt({{"layers", "all"}}).layers, ElementsAre(0, 1));
  EXPECT_THAT(ParseAt({{"block", "encoder"}}).heads, ElementsAre(1, 2));
}

TEST(RequestWords, WaysToNameTheQuery) {
  const auto tokens = [](const Fields& query) { return ParseFields(query).tokens; };
  EXPECT_THAT(tokens({{"token", "register_1"}}), ElementsAre(1));
  EXPECT_THAT(tokens({{"token", "cls"}, {"block", "encoder"}}), ElementsAre(0));
  EXPECT_THAT(tokens({{"rows", "0-1"}, {"cols", "2-3"}}), ElementsAre(4, 5, 8, 9));
  EXPECT_THAT(tokens({{"rows", "2"}, {"cols", "3-2"}}), ElementsAre(12, 13));
  EXPECT_THAT(tokens({{"cells", "0:0,2:3"}}), ElementsAre(2, 13));
}

TEST(RequestWords, EveryDefinition) {
  for (const DefinitionInfo& info : Definitions()) {
    EXPECT_EQ(ParseAt({{"definition", info.name}}).definition, info.definition);
  }
}

struct RefusedRequest {
  Fields fields;
  Kind kind;
  const char* said;  // the field first
};

class RequestWordsRefuse : public ::testing::TestWithParam<RefusedRequest> {};

TEST_P(RequestWordsRefuse, With) {
  try {
    ParseFields(GetParam().fields);
    ADD_FAILURE() << "was accepted";
  } catch (const RequestError& error) {
    EXPECT_STREQ(error.what(), GetParam().said);
    EXPECT_EQ(error.kind(), GetParam().kind);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Values, RequestWordsRefuse,
    ::testing::Values(
        RefusedRequest{{{"definition", "softmax"}, {"token", "camera"}},
                       Kind::kMalformed,
                       "definition: 'softmax' is none of model, patches, frame, logits, cosine"},
        RefusedRequest{{}, Kind::kPlace, "no query is given"},
        RefusedRequest{{{"token", "camera"}, {"row", "1"}, {"col", "1"}},
                       Kind::kPlace,
                       "several queries are given"},
        RefusedRequest{{{"rows", "1"}, {"cols", "1"}, {"cells", "1:1"}},
                       Kind::kPlace,
                       "several queries are given"},
        RefusedRequest{{{"row", "1"}},
                       Kind::kMalformed,
                       "col: is missing. A query is named by its row and its column."},
        RefusedRequest{{{"row", "3"}, {"col", "1"}},
                       Kind::kMalformed,
                       "row: there is no row 3. They run from 0 to 2."},
        RefusedRequest{{{"row", "0"}, {"col", "4"}},
                       Kind::kMalformed,
                       "col: there is no column 4. They run from 0 to 3."},
        RefusedRequest{{{"cols", "1"}},
                       Kind::kMalformed,
                       "rows: is missing. A query is named by its row and its column."},
        RefusedRequest{{{"rows", "1-3"}, {"cols", "1"}},
                       Kind::kMalformed,
                       "rows: there is no row 3. They run from 0 to 2."},
        RefusedRequest{{{"rows", "1-"}, {"cols", "1"}},
                       Kind::kMalformed,
                       "rows: '1-' is neither a number nor a range such as 3-7"},
        RefusedRequest{{{"rows", "1"}, {"cols", ""}},
                       Kind::kMalformed,
                       "cols: '' is neither a number nor a range such as 3-7"},
        RefusedRequest{
            {{"rows", "1-1-1"}, {"cols", "1"}}, Kind::kMalformed, "rows: '1-1' is no whole number"},
        RefusedRequest{
            {{"cells", "1"}}, Kind::kMalformed, "cells: '1' is no row and column such as 3:4"},
        RefusedRequest{
            {{"cells", "1:1,"}}, Kind::kMalformed, "cells: '' is no row and column such as 3:4"},
        RefusedRequest{{{"cells", "1:1:1"}}, Kind::kMalformed, "cells: '1:1' is no whole number"},
        RefusedRequest{{{"cells", "1:1,1:1"}}, Kind::kMalformed, "cells: 1:1 is named twice"},
        RefusedRequest{{{"token", "cls"}},
                       Kind::kNotThere,
                       "token: there is no special token 'cls'. There are camera, register_1."},
        RefusedRequest{{{"token", "camera"}, {"frame", "3"}},
                       Kind::kMalformed,
                       "frame: there is no frame 3. They run from 0 to 2."},
        RefusedRequest{{{"token", "camera"}, {"frames", "0,3"}},
                       Kind::kMalformed,
                       "frames: there is no frame 3. They run from 0 to 2."},
        RefusedRequest{{{"token", "camera"}, {"layers", "2"}},
                       Kind::kNotThere,
                       "layers: the store has no layer 2. Its layers are 1, 5."},
        RefusedRequest{{{"token", "camera"}, {"layers", "foo"}},
                       Kind::kMalformed,
                       "layers: 'foo' is no whole number"},
        RefusedRequest{{{"token", "camera"}, {"heads", "4"}},
                       Kind::kMalformed,
                       "heads: there is no head 4. They run from 1 to 3."},
        RefusedRequest{{{"token", "camera"}, {"block", "camera"}},
                       Kind::kMalformed,
                       "block: 'camera' is none of global, frame, encoder"},
        RefusedRequest{{{"token", "camera"}, {"rope", "no"}},
                       Kind::kMalformed,
                       "rope: 'no' is none of after, before"},
        RefusedRequest{{{"token", "camera"}, {"reduce", "sum"}},
                       Kind::kMalformed,
                       "reduce: 'sum' is none of none, mean, max"},
        RefusedRequest{{{"token", "camera"}, {"tokens", "some"}},
                       Kind::kMalformed,
                       "tokens: 'some' is none of patches, all"},
        RefusedRequest{{{"token", "camera"}, {"incoming", "yes"}},
                       Kind::kMalformed,
                       "incoming: 'yes' is none of 0, 1"}));

TEST(RequestWords, WhatThisStoreHasNot) {
  QkDescription d = testing::SmallQkDescription();
  d.blocks.resize(1);
  const auto error = [&](const Fields& fields) {
    return testing::ErrorOf([&] { return ParseRequest(Words(fields), d).all_tokens; });
  };
  EXPECT_EQ(error({{"token", "camera"}, {"block", "frame"}}),
            "block: the store has no frame blocks. It has global blocks.");
  d.blocks[0].rope.type = RopeType::kApplied;
  EXPECT_EQ(
      error({{"token", "camera"}, {"rope", "before"}}),
      "rope: this store's queries and keys were recorded after the rotary embedding. What was "
      "before it can only be had by recording again.");
  d.blocks[0].special_tokens.clear();
  EXPECT_EQ(error({{"token", "camera"}}),
            "token: there is no special token 'camera'. These blocks have none.");
}

// The error that `body` throws.
template <typename Body>
RequestError Refused(Body body) {
  try {
    body();
  } catch (const RequestError& error) {
    return error;
  }
  ADD_FAILURE() << "was accepted";
  return {Kind::kMalformed, "", ""};
}

TEST(RequestParts, Numbers) {
  const auto parse = [](const std::string& text) {
    return ParseNumber(text, {"row", 1, 20}, "row");
  };
  EXPECT_EQ(parse("1"), 1);
  EXPECT_EQ(parse("0020"), 20);
  for (const auto& [text, said] :
       {std::pair("", "row: a number is missing"),
        {"x", "row: 'x' is no whole number"},
        {"-1", "row: '-1' is no whole number"},
        {"1x", "row: '1x' is no whole number"},
        {" 1", "row: ' 1' is no whole number"},
        {"+1", "row: '+1' is no whole number"},
        {"1e1", "row: '1e1' is no whole number"},
        {"\x1b", "row: '?' is no whole number"},
        {"0", "row: there is no row 0. They run from 1 to 20."},
        {"21", "row: there is no row 21. They run from 1 to 20."},
        {"99999999999999999999",
         "row: there is no row 99999999999999999999. They run from 1 to 20."}}) {
    const RequestError error = Refused([&, t = text] { parse(t); });
    EXPECT_STREQ(error.what(), said);
    EXPECT_EQ(error.kind(), Kind::kMalformed);
    EXPECT_EQ(error.field(), "row");
  }
}

TEST(RequestParts, Lists) {
  const auto parse = [](const std::string& text) {
    return ParseNumbers(text, {"frame", 0, 9}, "frames");
  };
  EXPECT_THAT(parse("3"), ElementsAre(3));
  EXPECT_THAT(parse("5,0,3"), ElementsAre(5, 0, 3));
  for (const char* text : {"", ",", "1,", ",1", "1,,2"}) {
    EXPECT_STREQ(Refused([&] { parse(text); }).what(), "frames: a number is missing") << text;
  }
  EXPECT_STREQ(Refused([&] { parse("1,2,1"); }).what(), "frames: frame 1 is named twice");
  EXPECT_STREQ(Refused([&] { parse("1, 2"); }).what(), "frames: ' 2' is no whole number");
}

TEST(RequestParts, LayersAreKnownByTheirNumbers) {
  const auto parse = [](const std::string& text) { return ParseLayers(text, {1, 5}, "the store"); };
  EXPECT_THAT(parse("all"), ElementsAre(0, 1));
  EXPECT_THAT(parse("5,1"), ElementsAre(1, 0));
  const RequestError none = Refused([&] { parse("2"); });
  EXPECT_STREQ(none.what(), "layers: the store has no layer 2. Its layers are 1, 5.");
  EXPECT_EQ(none.kind(), Kind::kNotThere);
  const RequestError zero = Refused([&] { parse("0"); });
  EXPECT_STREQ(zero.what(), "layers: there is no layer 0. They count from 1.");
  EXPECT_EQ(zero.kind(), Kind::kMalformed);
  EXPECT_STREQ(Refused([&] { parse("foo"); }).what(), "layers: 'foo' is no whole number");
}

TEST(RequestParts, Ranges) {
  EXPECT_THAT(Range(1, 3), ElementsAre(1, 2, 3));
  EXPECT_TRUE(Range<size_t>(7, 0).empty());
}

}  // namespace
}  // namespace vggt
