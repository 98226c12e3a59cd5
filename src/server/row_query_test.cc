// SPDX-License-Identifier: Apache-2.0
#include "server/row_query.h"

#include <gmock/gmock.h>

#include "core/parallel.h"
#include "qk_store_testing.h"
#include "server/message.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

RowQuery ParseSmall(QueryPairs query) {
  query.emplace_back("definition", "patches");
  return ParseRowQuery(query, testing::SmallQkDescription());
}

TEST(RowQuery, IsToldByItsDefinition) {
  EXPECT_TRUE(AsksForRows({{"row", "1"}, {"definition", "nonsense"}}));
  EXPECT_FALSE(AsksForRows({{"row", "1"}, {"col", "1"}}));
}

TEST(RowQuery, EveryFieldIsAParameter) {
  const RowQuery q = ParseSmall({{"row", "1"},
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
  EXPECT_EQ(q.query.definition, Definition::kPatches);
  EXPECT_THAT(q.query.layers, ElementsAre(1, 0));
  EXPECT_THAT(q.query.heads, ElementsAre(3, 1));
  EXPECT_EQ(q.query.reduction, HeadReduction::kMax);
  EXPECT_EQ(q.query.frame, 2);
  EXPECT_THAT(q.query.frames, ElementsAre(1));
  EXPECT_THAT(q.query.tokens, ElementsAre(2 + 1 * 4 + 2));
  EXPECT_TRUE(q.query.before_rope && q.query.incoming && q.all_tokens);
}

TEST(RowQuery, NamesAreKnownAndGivenOnce) {
  for (const auto& [query, said] :
       {std::pair<QueryPairs, const char*>{{{"token", "camera"}, {"lyers", "1"}},
                                           "'lyers' is unknown"},
        {{{"token", "camera"}, {"token", "camera"}}, "'token' is given twice"}}) {
    try {
      ParseSmall(query);
      ADD_FAILURE() << "was accepted";
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.status(), 400);
      EXPECT_THAT(refusal.what(), HasSubstr(said));
    }
  }
  EXPECT_THROW(ParseSmall({{"token", "cls"}}), RequestError);
}

TEST(RowQuery, OneAnswerHoldsSoMuch) {
  QkDescription d = testing::SmallQkDescription();
  d.blocks.resize(1);
  d.frames = 1000;
  d.H_p = d.W_p = 37;
  const auto ask = [&](const char* heads) {
    return ParseRowQuery(
        {{"token", "camera"}, {"definition", "model"}, {"heads", heads}, {"layers", "all"}}, d);
  };
  EXPECT_EQ(ask("all").query.heads.size(), 3U);  // 2 layers, 3 heads of 5.5 MB each
  d.frames = 3000;
  EXPECT_EQ(ask("mean").query.heads.size(), 3U);
  EXPECT_EQ(ask("3").query.heads.size(), 1U);
  EXPECT_THAT(ErrorOf([&] { return ask("all").all_tokens; }),
              HasSubstr("98.7 MB of maps, at most 64 MiB fit in one answer. Ask for fewer layers"));
}

TEST(RowQuery, WhatIsHopelessIsRefused) {
  SetThreadCount(2);
  CheckCost(1e11);  // half a minute or less of some processor
  EXPECT_THAT(ErrorOf([] { CheckCost(1e12); }), HasSubstr("far too long"));
}

}  // namespace
}  // namespace vggt
