// SPDX-License-Identifier: Apache-2.0
#include "attention/tiles.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <mutex>
#include <set>

#include "attention/row_normalizers.h"
#include "ops/row_block.h"
#include "qk_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

// Whole matrices that were put together from blocks: NaN where no block had a value.
struct Matrix {
  int64_t tokens = 0;
  std::vector<float> values;
  // Of each query and frame of keys, from the block that has it.
  std::vector<float> log_normalizers;
  size_t blocks = 0;
};

Matrix Collect(const HeadTiles& tiles, const TokenGrid& grid) {
  Matrix m{grid.tokens(), {}, {}, 0};
  m.values.assign(grid.tokens() * grid.tokens(), NAN);
  m.log_normalizers.assign(grid.tokens() * grid.frames, NAN);
  std::mutex mutex;
  std::set<size_t> indices;
  tiles.ForEachRowBlock([&](const RowBlock& block) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(indices.insert(block.index).second);
    EXPECT_GE(block.slot, 0);
    EXPECT_LT(block.slot, ThreadCount());
    EXPECT_LE(std::ssize(block.rows), kMostBlockRows);
    const auto scene =
        std::ranges::count_if(block.keys, [&](int64_t key) { return grid.is_scene_token(key); });
    EXPECT_EQ((std::ssize(block.keys) - scene) % block.key_frames.count(), 0);
    for (size_t i = 0; i < block.rows.size(); ++i) {
      for (size_t j = 0; j < block.keys.size(); ++j) {
        float& value = m.values[block.rows[i] * m.tokens + block.keys[j]];
        EXPECT_TRUE(std::isnan(value)) << "twice: " << block.rows[i] << " " << block.keys[j];
        value = block.row(i)[j];
      }
      if (block.log_normalizers == nullptr) continue;
      for (int64_t f = block.key_frames.first; f < block.key_frames.last; ++f) {
        m.log_normalizers[block.rows[i] * grid.frames + f] = block.log_normalizers[i];
      }
    }
  });
  m.blocks = indices.size();
  EXPECT_EQ(m.blocks, tiles.blocks());
  EXPECT_EQ(indices.empty() ? 0 : *indices.rbegin() + 1, m.blocks);
  return m;
}

// Every value of every row, against a matrix of logits in double precision.
void CompareWithSlow(const QkStore& store, const HeadRef& head, Definition definition,
                     bool before_rope) {
  const QkDescription& d = store.description();
  const QkBlocks& blocks = *d.Find(head.kind);
  const TokenGrid grid = d.token_grid(blocks);
  const Matrix got = Collect(HeadTiles(store, head, {definition, before_rope, {}}), grid);
  const SlowAttention slow(d, blocks, head.layer, head.head, before_rope);
  const int64_t tokens = grid.tokens(), per_frame = grid.tokens_per_frame();
  std::vector<double> logits(tokens);
  for (int64_t i = 0; i < tokens; ++i) {
    const FrameRange attended = AttendedFrames(blocks.attends, i / per_frame, grid.frames, false);
    std::vector<double> totals(grid.frames + 1);
    const auto place = [&](int64_t j) {
      return grid.is_scene_token(j) ? grid.frames : j / per_frame;
    };
    const auto counts = [&](int64_t j) {
      if (grid.is_scene_token(j)) {
        return definition != Definition::kPatches && definition != Definition::kFrame;
      }
      const int64_t frame = j / per_frame;
      const bool special = j % per_frame < grid.special_tokens;
      return frame >= attended.first && frame < attended.last &&
             !(definition == Definition::kPatches && special);
    };
    double all = 0;
    for (int64_t j = 0; j < tokens; ++j) {
      logits[j] = slow.Logit(i, j);
      if (!counts(j)) continue;
      totals[place(j)] += std::exp(logits[j]);
      all += std::exp(logits[j]);
    }
    for (int64_t j = 0; j < tokens; ++j) {
      const float value = got.values[i * tokens + j];
      if (!counts(j)) {
        ASSERT_TRUE(std::isnan(value)) << i << " does not attend to " << j;
        continue;
      }
      const double total = definition == Definition::kFrame ? totals[place(j)] : all;
      if (definition == Definition::kLogits) {
        ASSERT_NEAR(value, logits[j], 3e-5) << i << " " << j;
      } else if (definition == Definition::kCosine) {
        ASSERT_NEAR(value, slow.Value(definition, i, j), 1e-6) << i << " " << j;
      } else {
        const double expected = std::exp(logits[j]) / total;
        ASSERT_NEAR(value, expected, 3e-5 * expected + 1e-30) << i << " " << j;
        if (grid.is_scene_token(j)) continue;
        ASSERT_NEAR(got.log_normalizers[i * grid.frames + j / per_frame], std::log(total), 3e-5);
      }
    }
  }
}

class HeadTilesTest : public ::testing::Test {
 protected:
  void SetUp() override { threads_ = ThreadCount(); }
  void TearDown() override { SetThreadCount(threads_); }
  TestDir dir_;
  int threads_ = 1;
};

TEST_F(HeadTilesTest, EqualTheSlowWayForEveryKindAndDefinition) {
  for (const Attends attends : {Attends::kAll, Attends::kCausal}) {
    QkDescription d = SmallQkDescription();
    d.blocks[0].attends = attends;
    const TestDir dir;
    const QkStore store(WriteQkStore(dir.path(), d), {});
    for (const QkBlocks& blocks : d.blocks) {
      for (const DefinitionInfo& info : Definitions()) {
        for (const bool before : {false, true}) {
          SCOPED_TRACE(::testing::Message() << BlockKindName(blocks.kind) << " " << info.name
                                            << (before ? " before" : " after") << " RoPE, "
                                            << AttendsName(blocks.attends));
          CompareWithSlow(store, {blocks.kind, blocks.layers.size() - 1, 2}, info.definition,
                          before);
        }
      }
    }
  }
}

struct TileSize {
  int64_t frames, height, width, specials, head_dim;
};

class HeadTilesOf : public ::testing::TestWithParam<TileSize> {};

// One token; one row less and more than a block has; head widths that no vector divides.
TEST_P(HeadTilesOf, AwkwardSizes) {
  const TileSize& size = GetParam();
  QkDescription d = SmallQkDescription(size.frames, size.height, size.width, size.head_dim);
  d.blocks.resize(1);
  d.blocks[0].heads = 2;
  d.blocks[0].layers.resize(1);
  d.blocks[0].special_tokens.resize(static_cast<size_t>(size.specials));
  const TestDir dir;
  for (const Attends attends : kAttends) {
    d.blocks[0].attends = attends;
    const QkStore store(WriteQkStore(dir.path(), d), {});
    for (const Definition definition :
         {Definition::kModel, Definition::kPatches, Definition::kFrame, Definition::kLogits}) {
      SCOPED_TRACE(::testing::Message() << AttendsName(attends) << " " << InfoOf(definition).name);
      CompareWithSlow(store, {BlockKind::kGlobal, 0, 2}, definition, false);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tokens, HeadTilesOf,
                         ::testing::Values(TileSize{1, 1, 1, 0, 4}, TileSize{7, 1, 1, 2, 12},
                                           TileSize{5, 1, 17, 2, 20}, TileSize{4, 11, 2, 2, 28},
                                           TileSize{1, 5, 19, 2, 12}, TileSize{1, 191, 1, 2, 60}));

// They are keys of all queries, and queries.
TEST_F(HeadTilesTest, EqualTheSlowWayWithSceneTokens) {
  for (const size_t count : {1U, 20U}) {
    QkDescription d = SmallQkDescription();
    for (size_t i = 0; i < count; ++i) {
      d.blocks[0].scene_tokens.push_back(fmt::format("scene_{}", i));
    }
    const TestDir dir;
    const QkStore store(WriteQkStore(dir.path(), d), {});
    for (const DefinitionInfo& info : Definitions()) {
      for (const bool before : {false, true}) {
        SCOPED_TRACE(::testing::Message() << count << " " << info.name << before);
        CompareWithSlow(store, {BlockKind::kGlobal, 1, 2}, info.definition, before);
      }
    }
  }
}

TEST_F(HeadTilesTest, ChosenRowsAreThoseOfTheWhole) {
  const QkDescription d = SmallQkDescription(3, 8, 9);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  for (const QkBlocks& blocks : d.blocks) {
    const TokenGrid grid = d.token_grid(blocks);
    for (const Definition definition : {Definition::kModel, Definition::kFrame}) {
      const HeadRef head{blocks.kind, 0, 1};
      const Matrix whole = Collect(HeadTiles(store, head, {definition, false, {}}), grid);
      const std::vector<int64_t> rows = {0, 1, 5, 80, 147, 218};
      const Matrix some = Collect(HeadTiles(store, head, {definition, false, rows}), grid);
      for (int64_t i = 0; i < grid.tokens(); ++i) {
        const bool chosen = std::find(rows.begin(), rows.end(), i) != rows.end();
        for (int64_t j = 0; j < grid.tokens(); ++j) {
          const float value = some.values[i * grid.tokens() + j];
          const float expected = chosen ? whole.values[i * grid.tokens() + j] : NAN;
          ASSERT_TRUE(value == expected || (std::isnan(value) && std::isnan(expected)))
              << i << " " << j;
        }
      }
    }
  }
}

// Both are what a pass for each alone gives, bit for bit.
TEST_F(HeadTilesTest, LogitsBeforeRopeComeWithThoseAfterIt) {
  const QkDescription d = SmallQkDescription(3, 8, 9);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  for (const QkBlocks& blocks : d.blocks) {
    const TokenGrid grid = d.token_grid(blocks);
    const HeadRef head{blocks.kind, 0, 2};
    const Matrix after = Collect(HeadTiles(store, head, {Definition::kLogits, false, {}}), grid);
    const Matrix before = Collect(HeadTiles(store, head, {Definition::kLogits, true, {}}), grid);
    std::atomic<int64_t> seen = 0;
    HeadTiles(store, head, {Definition::kLogits, false, {}, true})
        .ForEachRowBlock([&](const RowBlock& block) {
          for (size_t i = 0; i < block.rows.size(); ++i, ++seen) {
            for (size_t j = 0; j < block.keys.size(); ++j) {
              const int64_t at = block.rows[i] * grid.tokens() + block.keys[j];
              ASSERT_EQ(block.row(i)[j], after.values[at]);
              ASSERT_EQ(block.before_rope[static_cast<int64_t>(i) * block.stride +
                                          static_cast<int64_t>(j)],
                        before.values[at]);
            }
          }
        });
    EXPECT_EQ(seen, grid.tokens());
  }
}

// The blocks and their values, and what is put together from them in order.
TEST_F(HeadTilesTest, ThreadsDoNotMatter) {
  const QkDescription d = SmallQkDescription(3, 8, 9);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const HeadTiles tiles(store, {}, {});
  EXPECT_GE(tiles.blocks(), 3U);
  std::vector<Matrix> matrices;
  std::vector<double> sums;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    matrices.push_back(Collect(tiles, d.token_grid(d.blocks[0])));
    std::vector<double> of_blocks(tiles.blocks());
    tiles.ForEachRowBlock([&](const RowBlock& block) {
      for (const float value : block.row(0)) of_blocks[block.index] += value * value;
    });
    double sum = 0;
    for (const double part : of_blocks) sum += part;
    sums.push_back(sum);
  }
  for (size_t i = 1; i < matrices.size(); ++i) {
    EXPECT_EQ(matrices[i].values, matrices[0].values);
    EXPECT_EQ(matrices[i].log_normalizers, matrices[0].log_normalizers);
    EXPECT_EQ(sums[i], sums[0]);
  }
}

// The normalisers that incoming attention is answered with come from a kernel of their own.
TEST_F(HeadTilesTest, NormalizersAreThoseOfRowNormalizers) {
  const QkDescription d = SmallQkDescription(3, 8, 9);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const TokenGrid grid = d.token_grid(d.blocks[0]);
  RowNormalizers normalizers(store, 1 << 20);
  AttentionWorkspace workspace;
  for (const Definition definition : {Definition::kModel, Definition::kPatches}) {
    const Matrix m =
        Collect(HeadTiles(store, {BlockKind::kGlobal, 1, 3}, {definition, false, {}}), grid);
    const auto expected = normalizers.Get({BlockKind::kGlobal, 1, 3, definition, 0, false},
                                          store.Layer(store.description().blocks[0], 1), workspace);
    for (int64_t i = 0; i < grid.tokens(); ++i) {
      ASSERT_NEAR(m.log_normalizers[i * grid.frames], (*expected)[i], 1e-5) << i;
    }
  }
}

struct Cancelled {};

TEST_F(HeadTilesTest, StopsInTheMiddle) {
  const QkDescription d = SmallQkDescription(3, 8, 9);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const HeadTiles tiles(store, {}, {});
  std::atomic<int> checks = 0;
  tiles.ForEachRowBlock([](const RowBlock&) {}, [&] { ++checks; });
  EXPECT_EQ(checks, 1 + static_cast<int>(tiles.blocks()));
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    for (int stop_at = 1; stop_at <= checks; ++stop_at) {
      std::atomic<int> asked = 0, added = 0;
      EXPECT_THROW(tiles.ForEachRowBlock([&](const RowBlock&) { ++added; },
                                         [&] {
                                           if (++asked >= stop_at) throw Cancelled();
                                         }),
                   Cancelled);
      EXPECT_LT(added, stop_at);
    }
    EXPECT_THROW(tiles.ForEachRowBlock([](const RowBlock&) { throw Cancelled(); }), Cancelled);
  }
}

TEST_F(HeadTilesTest, RefusesWhatIsNotThere) {
  QkDescription d = SmallQkDescription();
  d.blocks.resize(2);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const auto error = [&](const HeadRef& head, const TileOptions& options) {
    return ErrorOf([&] { return HeadTiles(store, head, options).blocks(); });
  };
  EXPECT_THAT(error({BlockKind::kEncoder, 0, 1}, {}), HasSubstr("has no encoder blocks"));
  EXPECT_THAT(error({BlockKind::kGlobal, 2, 1}, {}), HasSubstr("no layer at place 2"));
  EXPECT_THAT(error({BlockKind::kGlobal, 0, 4}, {}), HasSubstr("no head 4"));
  for (const std::vector<int64_t>& rows : {std::vector<int64_t>{-1}, {42}, {3, 3}, {4, 3}}) {
    EXPECT_THAT(error({}, {Definition::kModel, false, rows}),
                HasSubstr("not ascending tokens from 0 to 41"));
  }
  for (const TileOptions& options : {TileOptions{Definition::kModel, false, {}, true},
                                     TileOptions{Definition::kLogits, true, {}, true}}) {
    EXPECT_THAT(error({}, options), HasSubstr("only logits after RoPE come with those before it"));
  }
}

TEST_F(HeadTilesTest, ValuesThatAreNotNumbersAreRefused) {
  const QkDescription d = SmallQkDescription();
  const auto file = WriteQkStore(dir_.path(), d);
  std::vector<float> k = testing::QkValues(d, d.blocks[0], 0, 1);
  k[20 * 16 + 3] = INFINITY;
  testing::WriteQkLayer(dir_ / "qk/global_01.safetensors", d.shape(d.blocks[0]),
                        testing::QkValues(d, d.blocks[0], 0, 0), k);
  const QkStore store(file, {});
  for (const DefinitionInfo& info : Definitions()) {
    const HeadTiles tiles(store, {}, {info.definition, true, {}});
    EXPECT_THAT(ErrorOf([&]() -> int {
                  tiles.ForEachRowBlock([](const RowBlock&) {});
                  return 0;
                }),
                HasSubstr("global_01.safetensors: holds queries or keys that are infinite"))
        << info.name;
  }
}

}  // namespace
}  // namespace vggt
