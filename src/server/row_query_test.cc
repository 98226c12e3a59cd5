// SPDX-License-Identifier: Apache-2.0
#include "server/row_query.h"

#include <gmock/gmock.h>

#include "qk_store_testing.h"
#include "server/message.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Global layers 1 and 5 with 3 heads, frame and encoder blocks; 3 frames of 3×4 patches behind two
// special tokens (one in the encoder).
RowQuery ParseRows(QueryPairs query) {
  query.emplace_back("definition", "model");
  return ParseRowQuery(query, testing::SmallQkDescription());
}

RowQuery ParseAt(QueryPairs query) {
  query.emplace_back("row", "1");
  query.emplace_back("col", "2");
  return ParseRows(query);
}

TEST(RowQuery, IsToldByItsDefinition) {
  EXPECT_TRUE(AsksForRows({{"row", "1"}, {"definition", "nonsense"}}));
  EXPECT_FALSE(AsksForRows({{"row", "1"}, {"col", "1"}}));
}

TEST(RowQuery, Defaults) {
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

TEST(RowQuery, EveryParameter) {
  const RowQuery q = ParseAt({{"layers", "5,1"},
                              {"heads", "3,1"},
                              {"reduce", "max"},
                              {"frame", "2"},
                              {"frames", "1"},
                              {"rope", "before"},
                              {"incoming", "1"},
                              {"tokens", "all"},
                              {"export", "x"}});
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

TEST(RowQuery, WaysToNameTheQuery) {
  const auto tokens = [](QueryPairs query) { return ParseRows(std::move(query)).query.tokens; };
  EXPECT_THAT(tokens({{"token", "register_1"}}), ElementsAre(1));
  EXPECT_THAT(tokens({{"token", "cls"}, {"block", "encoder"}}), ElementsAre(0));
  EXPECT_THAT(tokens({{"rows", "0-1"}, {"cols", "2-3"}}), ElementsAre(4, 5, 8, 9));
  EXPECT_THAT(tokens({{"rows", "2"}, {"cols", "3-2"}}), ElementsAre(12, 13));
  EXPECT_THAT(tokens({{"cells", "0:0,2:3"}}), ElementsAre(2, 13));
}

struct RefusedRowQuery {
  QueryPairs query;
  int status;
  const char* text;
};

class RowQueryRefuses : public ::testing::TestWithParam<RefusedRowQuery> {};

TEST_P(RowQueryRefuses, With) {
  QueryPairs query = GetParam().query;
  if (!AsksForRows(query)) query.emplace_back("definition", "model");
  try {
    ParseRowQuery(query, testing::SmallQkDescription());
    ADD_FAILURE() << "was accepted";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), GetParam().status);
    EXPECT_THAT(refusal.what(), HasSubstr(GetParam().text));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Values, RowQueryRefuses,
    ::testing::Values(
        RefusedRowQuery{{{"definition", "softmax"}, {"token", "camera"}},
                        400,
                        "'softmax' is none of model, patches, frame, logits, cosine"},
        RefusedRowQuery{{}, 400, "no query is given"},
        RefusedRowQuery{{{"token", "camera"}, {"row", "1"}, {"col", "1"}}, 400, "several queries"},
        RefusedRowQuery{{{"row", "1"}}, 400, "'col' is missing"},
        RefusedRowQuery{{{"row", "3"}, {"col", "1"}}, 400, "'3' is no whole number up to 2"},
        RefusedRowQuery{{{"rows", "1"}}, 400, "'cols' is missing"},
        RefusedRowQuery{{{"rows", "1-3"}, {"cols", "1"}}, 400, "'3' is no whole number up to 2"},
        RefusedRowQuery{{{"rows", "1-"}, {"cols", "1"}}, 400, "'' is no whole number"},
        RefusedRowQuery{{{"cells", "1"}}, 400, "'' is no whole number up to 3"},
        RefusedRowQuery{{{"cells", "1:1,"}}, 400, "'' is no whole number up to 2"},
        RefusedRowQuery{{{"cells", "1:1,1:1"}}, 400, "token 7 is named twice"},
        RefusedRowQuery{{{"token", "cls"}}, 404, "no special token 'cls'"},
        RefusedRowQuery{
            {{"token", "camera"}, {"frame", "3"}}, 400, "'3' is no whole number up to 2"},
        RefusedRowQuery{{{"token", "camera"}, {"layers", "2"}}, 404, "the store has no layer 2"},
        RefusedRowQuery{
            {{"token", "camera"}, {"heads", "4"}}, 400, "'4' is no whole number up to 3"},
        RefusedRowQuery{
            {{"token", "camera"}, {"block", "camera"}}, 400, "none of global, frame, encoder"},
        RefusedRowQuery{
            {{"token", "camera"}, {"rope", "no"}}, 400, "'no' is none of after, before"},
        RefusedRowQuery{{{"token", "camera"}, {"reduce", "sum"}}, 400, "none of none, mean, max"},
        RefusedRowQuery{{{"token", "camera"}, {"tokens", "some"}}, 400, "none of patches, all"},
        RefusedRowQuery{{{"token", "camera"}, {"incoming", "yes"}}, 400, "none of 0, 1"},
        RefusedRowQuery{{{"token", "camera"}, {"lyers", "1"}}, 400, "'lyers' is unknown"}));

TEST(RowQuery, RefusesWhatIsNotStoredOrTakesTooLong) {
  QkDescription d = testing::SmallQkDescription();
  d.blocks.resize(1);
  const auto error = [&](QueryPairs query) {
    query.emplace_back("definition", "model");
    return testing::ErrorOf([&] { return ParseRowQuery(query, d).all_tokens; });
  };
  EXPECT_THAT(error({{"token", "camera"}, {"block", "frame"}}), HasSubstr("has no frame blocks"));
  d.blocks[0].rope.type = RopeType::kApplied;
  EXPECT_THAT(error({{"token", "camera"}, {"rope", "before"}}), HasSubstr("after the rotary"));
  d.frames = 1000;
  d.H_p = d.W_p = 37;
  EXPECT_FALSE(ParseRowQuery({{"token", "camera"}, {"definition", "model"}}, d).all_tokens);
  EXPECT_THAT(error({{"rows", "0-36"}, {"cols", "0-36"}, {"heads", "all"}, {"layers", "all"}}),
              HasSubstr("too long"));
  EXPECT_THAT(error({{"token", "camera"}, {"incoming", "1"}, {"layers", "all"}}),
              HasSubstr("too long"));
}

}  // namespace
}  // namespace vggt
