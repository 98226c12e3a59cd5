// SPDX-License-Identifier: Apache-2.0
#include "attention/attention_rows.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <latch>
#include <mutex>
#include <thread>

#include "core/parallel.h"
#include "qk_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

constexpr Definition kAllDefinitions[] = {Definition::kModel, Definition::kPatches,
                                          Definition::kFrame, Definition::kLogits,
                                          Definition::kCosine};

AttentionRequest Query(BlockKind kind, Definition definition, std::vector<int64_t> tokens) {
  AttentionRequest query;
  query.kind = kind;
  query.layers = {0};
  query.heads = {2, 1};
  query.frame = 1;
  query.tokens = std::move(tokens);
  query.definition = definition;
  query.frames = {0, 1, 2};
  return query;
}

// Each value of an answer against whole matrices in double precision.
void CompareWithSlow(AttentionRows& rows, const AttentionRequest& query) {
  const QkDescription& d = rows.store().description();
  const QkBlocks& blocks = *rows.store().description().Find(query.kind);
  const int64_t per_frame = d.tokens_per_frame(blocks);
  const AttentionAnswer answer = rows.Answer(query);
  const bool reduced = query.reduction != HeadReduction::kNone;
  ASSERT_EQ(answer.shape, (Shape{static_cast<int64_t>(query.layers.size()),
                                 reduced ? 1 : static_cast<int64_t>(query.heads.size()),
                                 static_cast<int64_t>(query.frames.size()), per_frame}));
  const float* got = answer.values.data();
  for (const size_t layer : query.layers) {
    std::vector<SlowAttention> slow;
    for (const int head : query.heads) slow.emplace_back(d, blocks, layer, head, query.before_rope);
    const auto value = [&](const SlowAttention& matrix, int64_t key) {
      double mean = 0;
      for (const int64_t token : query.tokens) {
        const int64_t query_token = query.frame * per_frame + token;
        mean += query.incoming ? matrix.Value(query.definition, key, query_token)
                               : matrix.Value(query.definition, query_token, key);
      }
      return mean / static_cast<double>(query.tokens.size());
    };
    const auto check = [&](int64_t key, double expected, size_t head) {
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(*got++)) << "token " << key;
      } else {
        // float32 on logits of up to 40
        ASSERT_NEAR(*got++, expected, 1e-5) << "token " << key << ", head at " << head;
      }
    };
    for (size_t h = 0; h < (reduced ? 1 : slow.size()); ++h) {
      for (const int frame : query.frames) {
        for (int64_t t = 0; t < per_frame; ++t) {
          const int64_t key = frame * per_frame + t;
          double expected = value(slow[h], key);
          if (query.reduction == HeadReduction::kMean) {
            expected = (expected + value(slow[1], key)) / 2;
          } else if (query.reduction == HeadReduction::kMax) {
            expected = std::max(expected, value(slow[1], key));
          }
          check(key, expected, h);
        }
      }
    }
  }
}

class AttentionRowsTest : public ::testing::Test {
 protected:
  AttentionRows Open(const QkDescription& d) { return AttentionRows(WriteQkStore(dir_.path(), d)); }
  TestDir dir_;
};

TEST_F(AttentionRowsTest, EqualsTheSlowWayForEveryKindAndDefinition) {
  AttentionRows rows = Open(SmallQkDescription());
  for (const BlockKind kind : kBlockKinds) {
    for (const Definition definition : kAllDefinitions) {
      for (const bool incoming : {false, true}) {
        for (const bool before : {false, true}) {
          // A special token, a patch, a set of both.
          for (const std::vector<int64_t>& tokens : {std::vector<int64_t>{0}, {7}, {0, 5, 12}}) {
            SCOPED_TRACE(::testing::Message()
                         << BlockKindName(kind) << " " << InfoOf(definition).name << " of "
                         << tokens.size() << " from " << tokens[0] << (incoming ? " incoming" : "")
                         << (before ? " before RoPE" : ""));
            AttentionRequest query = Query(kind, definition, tokens);
            query.incoming = incoming;
            query.before_rope = before;
            CompareWithSlow(rows, query);
          }
        }
      }
    }
  }
}

TEST_F(AttentionRowsTest, ReducesHeadsAndPicksLayersAndFrames) {
  AttentionRows rows = Open(SmallQkDescription());
  for (const HeadReduction reduction :
       {HeadReduction::kNone, HeadReduction::kMean, HeadReduction::kMax}) {
    AttentionRequest query = Query(BlockKind::kGlobal, Definition::kModel, {9});
    query.layers = {1, 0};
    query.frames = {2, 0};
    query.reduction = reduction;
    CompareWithSlow(rows, query);
  }
}

// One thread takes whole layers, seven take the heads of a layer.
TEST_F(AttentionRowsTest, ThreadsDoNotMatter) {
  AttentionRows rows = Open(SmallQkDescription());
  const int before = ThreadCount();
  for (const HeadReduction reduction :
       {HeadReduction::kNone, HeadReduction::kMean, HeadReduction::kMax}) {
    AttentionRequest query = Query(BlockKind::kGlobal, Definition::kPatches, {9});
    query.layers = {1, 0};
    query.frames = {2, 0};
    query.reduction = reduction;
    std::vector<AttentionAnswer> answers;
    for (const int threads : {1, 2, 7}) {
      SetThreadCount(threads);
      CompareWithSlow(rows, query);
      answers.push_back(rows.Answer(query));
    }
    for (const AttentionAnswer& other : answers) {
      ASSERT_EQ(other.values.size(), answers[0].values.size());
      for (size_t i = 0; i < other.values.size(); ++i) {
        ASSERT_EQ(other.values[i], answers[0].values[i]) << "value " << i;
      }
      EXPECT_EQ(other.dropped, answers[0].dropped);
    }
  }
  SetThreadCount(before);
}

TEST_F(AttentionRowsTest, CausalBlocksLookBack) {
  QkDescription d = SmallQkDescription();
  d.blocks[0].attends = Attends::kCausal;
  AttentionRows rows = Open(d);
  for (const Definition definition : kAllDefinitions) {
    for (const bool incoming : {false, true}) {
      AttentionRequest query = Query(BlockKind::kGlobal, definition, {3});
      query.incoming = incoming;
      CompareWithSlow(rows, query);
    }
  }
}

// Answers hold the tokens of frames; what scene tokens get is missing to 1.
TEST_F(AttentionRowsTest, SceneTokensAreKeys) {
  QkDescription d = SmallQkDescription();
  d.blocks[0].scene_tokens = {"scale", "up"};
  AttentionRows rows = Open(d);
  for (const Definition definition : kAllDefinitions) {
    for (const bool incoming : {false, true}) {
      for (const std::vector<int64_t>& tokens : {std::vector<int64_t>{0}, {7}, {0, 5, 12}}) {
        SCOPED_TRACE(::testing::Message() << InfoOf(definition).name << incoming << tokens.size());
        AttentionRequest query = Query(BlockKind::kGlobal, definition, tokens);
        query.incoming = incoming;
        CompareWithSlow(rows, query);
      }
    }
  }
  const AttentionRequest query = Query(BlockKind::kGlobal, Definition::kModel, {7});
  const AttentionAnswer answer = rows.Answer(query);
  AttentionRequest patches = query;
  patches.definition = Definition::kPatches;
  const std::vector<double> dropped = rows.Answer(patches).dropped;
  for (int64_t h = 0; h < 2; ++h) {
    const SlowAttention slow(d, d.blocks[0], 0, query.heads[static_cast<size_t>(h)], false);
    double scene = 0, special = 0, sum = 0;
    for (const int64_t token : {42, 43}) scene += slow.Value(Definition::kModel, 14 + 7, token);
    for (int64_t i = 0; i < 42; ++i) {
      sum += answer.values[h * 42 + i];
      special += i % 14 < 2 ? answer.values[h * 42 + i] : 0;
    }
    EXPECT_NEAR(1 - sum, scene, 1e-5);
    EXPECT_NEAR(dropped[static_cast<size_t>(h)], special + scene, 1e-5);
  }
}

TEST_F(AttentionRowsTest, AwkwardSizes) {
  for (const auto& [frames, height, width, dim] :
       {std::array<int64_t, 4>{1, 1, 1, 4}, {1, 5, 1, 64}, {2, 1, 17, 32}, {2, 7, 6, 128}}) {
    const TestDir dir;
    AttentionRows rows(WriteQkStore(dir.path(), SmallQkDescription(frames, height, width, dim)));
    AttentionRequest query = Query(BlockKind::kGlobal, Definition::kModel, {2});
    query.frame = frames - 1;
    query.frames.resize(static_cast<size_t>(frames));
    CompareWithSlow(rows, query);
  }
}

TEST_F(AttentionRowsTest, RowsAddUpToOne) {
  const QkDescription d = SmallQkDescription();
  AttentionRows rows = Open(d);
  for (const Definition definition :
       {Definition::kModel, Definition::kPatches, Definition::kFrame}) {
    for (const std::vector<int64_t>& tokens : {std::vector<int64_t>{1}, {13}, {0, 2, 3, 4}}) {
      const AttentionAnswer answer = rows.Answer(Query(BlockKind::kGlobal, definition, tokens));
      const double expected = definition == Definition::kFrame ? 3 : 1;
      for (int head = 0; head < 2; ++head) {
        double sum = 0;
        for (int64_t i = 0; i < 42; ++i) sum += answer.values[head * 42 + i];
        EXPECT_NEAR(sum, expected, 1e-5);
      }
    }
  }
}

// What the classic maps leave out is what the special tokens had.
TEST_F(AttentionRowsTest, ModelOnPatchesOverItsPatchMassIsPatches) {
  AttentionRows rows = Open(SmallQkDescription());
  const AttentionAnswer model = rows.Answer(Query(BlockKind::kGlobal, Definition::kModel, {8}));
  const AttentionAnswer patches = rows.Answer(Query(BlockKind::kGlobal, Definition::kPatches, {8}));
  EXPECT_TRUE(model.dropped.empty());
  ASSERT_EQ(patches.dropped.size(), 2U);
  for (int head = 0; head < 2; ++head) {
    double special = 0;
    for (int64_t i = 0; i < 42; ++i) special += i % 14 < 2 ? model.values[head * 42 + i] : 0;
    EXPECT_NEAR(patches.dropped[head], special, 1e-6);
    EXPECT_GT(special, 0);
    for (int64_t i = 0; i < 42; ++i) {
      const double expected = i % 14 < 2 ? 0 : model.values[head * 42 + i] / (1 - special);
      EXPECT_NEAR(patches.values[head * 42 + i], expected, 1e-6);
    }
  }
}

// A sink so strong that patches share less than float32 can tell from nothing.
TEST_F(AttentionRowsTest, PatchesKeepTheirDigitsBesideAStrongSink) {
  QkDescription d = SmallQkDescription(1, 2, 2, 4);
  d.blocks.resize(1);
  d.blocks[0].heads = 1;
  d.blocks[0].layers.resize(1);
  d.blocks[0].rope.type = RopeType::kNone;
  const auto file = WriteQkStore(dir_.path(), d);
  std::vector<float> q(6 * 4, 0.0F), k(6 * 4, 0.0F);
  for (int t = 0; t < 6; ++t) q[t * 4] = 20;
  k[0] = 60;  // logits: 600 for the camera, then 0, 1, 2, 3, 4
  for (int t = 1; t < 6; ++t) k[t * 4] = 0.1F * static_cast<float>(t - 1);
  testing::WriteQkLayer(dir_ / "qk/global_01.safetensors", {1, 6, 4}, q, k);
  AttentionRows rows(file);
  AttentionRequest query = Query(BlockKind::kGlobal, Definition::kPatches, {3});
  query.heads = {1};
  query.frame = 0;
  query.frames = {0};
  const AttentionAnswer answer = rows.Answer(query);
  double sum = 0;
  for (int i = 1; i < 5; ++i) sum += std::exp(i);
  for (int i = 1; i < 5; ++i) EXPECT_NEAR(answer.values[1 + i], std::exp(i) / sum, 1e-3);
  EXPECT_NEAR(answer.dropped[0], 1, 1e-12);
}

struct GivenUp {};

// Whatever was being done: the next answer is what it would have been.
TEST_F(AttentionRowsTest, StopsAnywhereAndLeavesNothingHalfDone) {
  const QkDescription d = SmallQkDescription();
  for (const bool incoming : {false, true}) {
    AttentionRequest query = Query(BlockKind::kGlobal, Definition::kModel, {9, 3});
    query.layers = {0, 1};
    query.incoming = incoming;
    AttentionRows fresh = Open(d);
    std::atomic<int> checks = 0;
    const AttentionAnswer expected = fresh.Answer(query, [&] { ++checks; });
    // Layers, tokens of each head, and blocks of rows for the normalisers of each head.
    EXPECT_EQ(checks, 2 + 2 * 2 * 2 + (incoming ? 2 * 2 : 0));
    for (int stop_at = 1; stop_at <= checks; ++stop_at) {
      AttentionRows rows = Open(d);
      std::atomic<int> asked = 0;
      EXPECT_THROW(rows.Answer(query,
                               [&] {
                                 if (++asked >= stop_at) throw GivenUp();
                               }),
                   GivenUp)
          << stop_at;
      EXPECT_LE(asked, stop_at + ThreadCount());
      const AttentionAnswer answer = rows.Answer(query);
      for (size_t i = 0; i < answer.values.size(); ++i) {
        ASSERT_EQ(answer.values[i], expected.values[i]) << i;
      }
    }
  }
}

// One answer is held up at every step; others are answered meanwhile.
TEST_F(AttentionRowsTest, ALongAnswerDoesNotHoldUpOthers) {
  AttentionRows rows = Open(SmallQkDescription());
  AttentionRequest heavy = Query(BlockKind::kGlobal, Definition::kModel, {9});
  heavy.incoming = true;
  std::latch begun(1), others_done(1);
  std::once_flag once;
  std::thread held([&] {
    rows.Answer(heavy, [&] {
      std::call_once(once, [&] { begun.count_down(); });
      others_done.wait();
    });
  });
  begun.wait();
  for (int64_t token = 0; token < 14; ++token) {
    CompareWithSlow(rows, Query(BlockKind::kGlobal, Definition::kModel, {token}));
  }
  AttentionRequest other = heavy;
  other.layers = {1};
  CompareWithSlow(rows, other);
  others_done.count_down();
  held.join();
  CompareWithSlow(rows, heavy);
}

TEST_F(AttentionRowsTest, ManyThreadsAsk) {
  AttentionRows rows = Open(SmallQkDescription());
  AttentionRequest query = Query(BlockKind::kGlobal, Definition::kPatches, {3});
  query.layers = {0, 1};
  query.incoming = true;
  const AttentionAnswer expected = Open(SmallQkDescription()).Answer(query);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      const AttentionAnswer answer = rows.Answer(query);
      for (size_t i = 0; i < answer.values.size(); ++i) {
        if (answer.values[i] != expected.values[i]) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(AttentionRowsTest, SaysHowMuchThereIsToDo) {
  AttentionRows rows = Open(SmallQkDescription());
  // 3 frames of 14 tokens (12 and one in the encoder); two of three heads.
  const double tokens = 3 * 14;
  AttentionRequest query = Query(BlockKind::kGlobal, Definition::kModel, {9, 3});
  EXPECT_EQ(rows.Products(query), 2 * 2 * tokens);
  EXPECT_EQ(rows.Products(Query(BlockKind::kFrame, Definition::kModel, {9})), 2 * 14);
  query.incoming = true;
  EXPECT_EQ(rows.Products(query), 2 * 2 * tokens + 2 * tokens * tokens);
  rows.Answer(query);
  EXPECT_EQ(rows.Products(query), 2 * 2 * tokens);
  query.heads = {2, 1, 3};
  EXPECT_EQ(rows.Products(query), 3 * 2 * tokens + tokens * tokens);
  query.definition = Definition::kFrame;
  EXPECT_EQ(rows.Products(query), 3 * 2 * tokens + 3 * tokens * 14);
  query.definition = Definition::kCosine;
  EXPECT_EQ(rows.Products(query), 3 * 2 * tokens);
}

TEST_F(AttentionRowsTest, ValuesThatAreNotNumbersAreRefused) {
  for (const float bad : {NAN, INFINITY}) {
    const TestDir dir;
    const QkDescription d = SmallQkDescription();
    const auto file = WriteQkStore(dir.path(), d);
    std::vector<float> k = testing::QkValues(d, d.blocks[0], 0, 1);
    k[20 * 16 + 3] = bad;
    testing::WriteQkLayer(dir / "qk/global_01.safetensors", d.shape(d.blocks[0]),
                          testing::QkValues(d, d.blocks[0], 0, 0), k);
    AttentionRows rows(file);
    for (const Definition definition : kAllDefinitions) {
      AttentionRequest query = Query(BlockKind::kGlobal, definition, {4});
      query.heads = {1};
      EXPECT_THAT(ErrorOf([&] { return rows.Answer(query).dropped; }),
                  HasSubstr("global_01.safetensors: holds queries or keys that are infinite"))
          << InfoOf(definition).name << " " << bad;
    }
  }
}

TEST_F(AttentionRowsTest, KindsThatAreNotStoredAreNamed) {
  QkDescription d = SmallQkDescription();
  d.blocks.resize(1);
  AttentionRows rows = Open(d);
  EXPECT_THAT(ErrorOf([&] {
                return rows.Answer(Query(BlockKind::kFrame, Definition::kModel, {0})).dropped;
              }),
              HasSubstr("the store has no frame blocks. It has global blocks."));
}

TEST_F(AttentionRowsTest, OpensAnExportByItsFolder) {
  EXPECT_THAT(
      ErrorOf([&] { return AttentionRows::Open(dir_.path()).grid(BlockKind::kGlobal).width; }),
      HasSubstr("holds no queries and keys to compute attention from"));
  WriteQkStore(dir_.path(), SmallQkDescription());
  const AttentionRows rows = AttentionRows::Open(dir_.path());
  const TokenGrid grid = rows.grid(BlockKind::kGlobal);
  EXPECT_EQ(grid, (TokenGrid{3, 2, 3, 4}));
  AttentionRequest request;
  request.tokens = {grid.patch(0, 1, 2)};
  const AttentionAnswer answer = rows.Answer(request);
  EXPECT_EQ(answer.shape, (Shape{1, 3, 3, 14}));
  EXPECT_EQ(answer.Tokens(0, 2, 1).data(), answer.values.data() + (2 * 3 + 1) * 14);
  EXPECT_EQ(answer.Tokens(0, 2, 1).size(), 14U);
  EXPECT_EQ(answer.Patches(0, 2, 1).data(), answer.values.data() + (2 * 3 + 1) * 14 + 2);
  EXPECT_EQ(answer.Patches(0, 2, 1).size(), 12U);
}

}  // namespace
}  // namespace vggt
