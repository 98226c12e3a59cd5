// SPDX-License-Identifier: Apache-2.0
#include "attention/row_normalizers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <latch>
#include <thread>

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
  AttentionWorkspace workspace;
  const auto values = normalizers.Get(key, store.Layer(blocks, key.layer), workspace);
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

TEST(RowNormalizers, OfBlocksWithSceneTokens) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.blocks[0].scene_tokens = {"scale", "up", "down"};
  const QkStore store(WriteQkStore(dir.path(), d), {});
  for (const Definition definition :
       {Definition::kModel, Definition::kPatches, Definition::kFrame}) {
    for (const bool before : {false, true}) {
      CompareWithSlow(store, {BlockKind::kGlobal, 0, 1, definition, 2, before});
    }
  }
}

TEST(RowNormalizers, AreKeptUpToALimit) {
  const TestDir dir;
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const QkBlocks& blocks = *store.description().Find(BlockKind::kGlobal);
  const QkTensors tensors = store.Layer(blocks, 0);
  RowNormalizers normalizers(store, 2 * 42 * sizeof(float));  // of two heads
  AttentionWorkspace workspace;
  const auto key = [](int head) {
    return RowNormalizers::Key{BlockKind::kGlobal, 0, head, Definition::kModel, 0, false};
  };
  const auto get = [&](int head) { return normalizers.Get(key(head), tensors, workspace); };
  EXPECT_FALSE(normalizers.Has(key(1)));
  const auto one = get(1), two = get(2);
  EXPECT_TRUE(normalizers.Has(key(1)));
  EXPECT_EQ(get(1), one);
  get(3);  // drops the second, which was not used for longest
  EXPECT_EQ(get(1), one);
  EXPECT_NE(get(2), two);
}

struct Stopped {};

class RowNormalizersAtWork : public ::testing::Test {
 protected:
  std::shared_ptr<const FloatBuffer> Get(const StopCheck& stop_check) {
    AttentionWorkspace workspace;
    return normalizers_.Get(key_, tensors_, workspace, stop_check);
  }

  TestDir dir_;
  const QkStore store_{WriteQkStore(dir_.path(), SmallQkDescription()), {}};
  const QkTensors tensors_ = store_.Layer(store_.description().blocks[0], 0);
  RowNormalizers normalizers_{store_, 1 << 20};
  const RowNormalizers::Key key_ = {};
};

TEST_F(RowNormalizersAtWork, StoppedTheyAreNotKept) {
  EXPECT_THROW(Get([] { throw Stopped(); }), Stopped);
  EXPECT_FALSE(normalizers_.Has(key_));
  int asked = 0;
  const auto values = Get([&] { ++asked; });
  EXPECT_GT(asked, 0);
  EXPECT_TRUE(normalizers_.Has(key_));
  EXPECT_EQ(Get([&] { throw Stopped(); }), values);  // there is nothing to stop
}

// The first computes until it is told to go on; the second waits meanwhile.
TEST_F(RowNormalizersAtWork, AreComputedOnce) {
  std::latch computing(1), waiting(1);
  std::atomic<int> computed = 0;
  std::shared_ptr<const FloatBuffer> first, second;
  std::thread one([&] {
    first = Get([&] {
      ++computed;
      if (computed == 1) computing.count_down();
      waiting.wait();
    });
  });
  computing.wait();
  std::thread other([&] {
    second = Get([&, told = false]() mutable {
      if (!told) waiting.count_down();
      told = true;
    });
  });
  one.join();
  other.join();
  EXPECT_EQ(first, second);
  EXPECT_EQ(computed, 1) << "a small head is one block of rows";
}

TEST_F(RowNormalizersAtWork, WhoWaitsMayStop) {
  std::latch computing(1), stopped(1);
  std::thread one([&] {
    Get([&] {
      computing.count_down();
      stopped.wait();
    });
  });
  computing.wait();
  EXPECT_THROW(Get([] { throw Stopped(); }), Stopped);
  stopped.count_down();
  one.join();
  EXPECT_TRUE(normalizers_.Has(key_));
}

TEST_F(RowNormalizersAtWork, WhoWaitsForWhatIsStoppedComputesIt) {
  std::latch computing(1), waiting(1);
  std::thread one([&] {
    EXPECT_THROW(Get([&] {
                   computing.count_down();
                   waiting.wait();
                   throw Stopped();
                 }),
                 Stopped);
  });
  computing.wait();
  std::atomic<int> asked = 0;
  EXPECT_NE(Get([&] {
              if (++asked == 1) waiting.count_down();
            }),
            nullptr);
  EXPECT_GE(asked, 2);  // while it waited, and when it computed
  one.join();
}

}  // namespace
}  // namespace vggt
