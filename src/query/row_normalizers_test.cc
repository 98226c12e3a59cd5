// SPDX-License-Identifier: Apache-2.0
#include "query/row_normalizers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "qk_testing.h"

namespace vggt {
namespace {

using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

void CompareWithSlow(const QkStore& store, const RowNormalizers::Key& key) {
  RowNormalizers normalizers(store, 1 << 20);
  const QkBlocks& blocks = *store.description().Find(key.kind);
  const auto values = normalizers.Get(key, store.Layer(blocks, key.layer));
  const SlowAttention slow(store.description(), blocks, key.layer, key.head, key.before_rope);
  ASSERT_EQ(static_cast<int64_t>(values->size()), slow.tokens());
  const int64_t per_frame = store.description().tokens_per_frame(blocks);
  for (int64_t i = 0; i < slow.tokens(); ++i) {
    // Some key that counts tells the row's normaliser.
    double expected = std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < slow.tokens(); ++j) {
      if (key.definition == Definition::kFrame && j / per_frame != key.frame) continue;
      const double p = slow.Value(key.definition, i, j);
      if (p > 0) expected = slow.Logit(i, j) - std::log(p);
    }
    if (std::isinf(expected)) {
      EXPECT_TRUE(std::isinf((*values)[i])) << i;
    } else {
      EXPECT_NEAR((*values)[i], expected, 1e-5) << i;
    }
  }
}

TEST(RowNormalizers, EqualTheSlowOnes) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir.path(), d), {});
  for (const Definition definition :
       {Definition::kModel, Definition::kPatches, Definition::kFrame}) {
    for (const bool before : {false, true}) {
      CompareWithSlow(store, {BlockKind::kGlobal, 1, 3, definition, 2, before});
      CompareWithSlow(store, {BlockKind::kFrame, 0, 1, definition, 1, before});
      CompareWithSlow(store, {BlockKind::kEncoder, 0, 2, definition, 0, before});
    }
  }
}

TEST(RowNormalizers, OfCausalBlocks) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.blocks[0].attends = Attends::kCausal;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  for (const Definition definition :
       {Definition::kModel, Definition::kPatches, Definition::kFrame}) {
    CompareWithSlow(store, {BlockKind::kGlobal, 0, 1, definition, 1, false});
  }
}

TEST(RowNormalizers, AreKeptUpToALimit) {
  const TestDir dir;
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const QkBlocks& blocks = *store.description().Find(BlockKind::kGlobal);
  const QkTensors tensors = store.Layer(blocks, 0);
  RowNormalizers normalizers(store, 2 * 42 * sizeof(float));  // of two heads
  const auto get = [&](int head) {
    return normalizers.Get({BlockKind::kGlobal, 0, head, Definition::kModel, 0, false}, tensors);
  };
  const auto one = get(1), two = get(2);
  EXPECT_EQ(get(1), one);
  get(3);  // drops the second, which was not used for longest
  EXPECT_EQ(get(1), one);
  EXPECT_NE(get(2), two);
}

}  // namespace
}  // namespace vggt
