// SPDX-License-Identifier: Apache-2.0
#include "attention/attention_request.h"

#include <gmock/gmock.h>

#include <utility>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using Kind = RequestError::Kind;
using Fields = std::vector<std::pair<std::string, std::string>>;

AttentionRequest Request(const Fields& fields) {
  AttentionRequest request;
  for (const auto& [name, text] : fields) {
    bool known = false;
    for (const AttentionField& field : AttentionFields()) {
      if (field.name == name) {
        request.*field.text = text;
        known = true;
      }
    }
    EXPECT_TRUE(known) << name;
  }
  return request;
}

// Global layers 1 and 5 with 3 heads, frame and encoder blocks; 3 frames of 3×4 patches behind two
// special tokens (one in the encoder).
RowQuery ParseRows(const Fields& fields) {
  return ParseAttentionRequest(Request(fields), testing::SmallQkDescription());
}

RowQuery ParseAt(Fields fields) {
  fields.emplace_back("row", "1");
  fields.emplace_back("col", "2");
  return ParseRows(fields);
}

TEST(AttentionRequest, Defaults) {
  const RowQuery q = ParseAt({});
  EXPECT_EQ(q.query.kind, BlockKind::kGlobal);
  EXPECT_EQ(q.query.definition, Definition::kModel);
  EXPECT_THAT(q.query.layers, ElementsAre(1));
  EXPECT_THAT(q.query.heads, ElementsAre(1, 2, 3));
  EXPECT_EQ(q.query.reduction, HeadReduction::kMean);
  EXPECT_EQ(q.query.frame, 0);
  EXPECT_THAT(q.query.tokens, ElementsAre(2 + 1 * 4 + 2));
  EXPECT_THAT(q.query.frames, ElementsAre(0, 1, 2));
  EXPECT_FALSE(q.query.before_rope || q.query.incoming || q.all_tokens);
}

TEST(AttentionRequest, EveryParameter) {
  const RowQuery q = ParseAt({{"layers", "5,1"},
                              {"heads", "3,1"},
                              {"reduce", "max"},
                              {"frame", "2"},
                              {"frames", "1"},
                              {"rope", "before"},
                              {"incoming", "1"},
                              {"tokens", "all"}});
  EXPECT_THAT(q.query.layers, ElementsAre(1, 0));
  EXPECT_THAT(q.query.heads, ElementsAre(3, 1));
  EXPECT_EQ(q.query.reduction, HeadReduction::kMax);
  EXPECT_EQ(q.query.frame, 2);
  EXPECT_THAT(q.query.frames, ElementsAre(1));
  EXPECT_TRUE(q.query.before_rope && q.query.incoming && q.all_tokens);
  EXPECT_EQ(ParseAt({{"heads", "all"}}).query.reduction, HeadReduction::kNone);
  EXPECT_EQ(ParseAt({{"heads", "mean"}, {"reduce", "max"}}).query.reduction, HeadReduction::kMax);
  EXPECT_THAT(ParseAt({{"layers", "all"}}).query.layers, ElementsAre(0, 1));
  EXPECT_THAT(ParseAt({{"block", "encoder"}}).query.heads, ElementsAre(1, 2));
}

TEST(AttentionRequest, WaysToNameTheQuery) {
  const auto tokens = [](const Fields& query) { return ParseRows(query).query.tokens; };
  EXPECT_THAT(tokens({{"token", "register_1"}}), ElementsAre(1));
  EXPECT_THAT(tokens({{"token", "cls"}, {"block", "encoder"}}), ElementsAre(0));
  EXPECT_THAT(tokens({{"rows", "0-1"}, {"cols", "2-3"}}), ElementsAre(4, 5, 8, 9));
  EXPECT_THAT(tokens({{"rows", "2"}, {"cols", "3-2"}}), ElementsAre(12, 13));
  EXPECT_THAT(tokens({{"cells", "0:0,2:3"}}), ElementsAre(2, 13));
}

TEST(AttentionRequest, EveryDefinition) {
  for (const DefinitionInfo& info : Definitions()) {
    EXPECT_EQ(ParseAt({{"definition", info.name}}).query.definition, info.definition);
  }
}

struct RefusedRequest {
  Fields fields;
  Kind kind;
  const char* said;  // the field first
};

class AttentionRequestRefuses : public ::testing::TestWithParam<RefusedRequest> {};

TEST_P(AttentionRequestRefuses, With) {
  try {
    ParseRows(GetParam().fields);
    ADD_FAILURE() << "was accepted";
  } catch (const RequestError& error) {
    EXPECT_STREQ(error.what(), GetParam().said);
    EXPECT_EQ(error.kind(), GetParam().kind);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Values, AttentionRequestRefuses,
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

TEST(AttentionRequest, WhatThisStoreHasNot) {
  QkDescription d = testing::SmallQkDescription();
  d.blocks.resize(1);
  const auto error = [&](const Fields& fields) {
    return testing::ErrorOf([&] { return ParseAttentionRequest(Request(fields), d).all_tokens; });
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

}  // namespace
}  // namespace vggt
