// SPDX-License-Identifier: Apache-2.0
#include "server/compute_lanes.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <atomic>
#include <latch>
#include <set>
#include <vector>

#include "server/message.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ComputeLanes, WorkIsDoneOnAThreadOfItsOwn) {
  ComputeLanes lanes;
  std::set<std::thread::id> threads = {std::this_thread::get_id()};
  for (const Lane lane : {Lane::kQuick, Lane::kLong}) {
    std::thread::id first;
    lanes.Run(lane, [&] { first = std::this_thread::get_id(); }, {});
    EXPECT_TRUE(threads.insert(first).second);
    std::thread([&] {
      lanes.Run(lane, [&] { EXPECT_EQ(std::this_thread::get_id(), first); }, {});
    }).join();
  }
}

TEST(ComputeLanes, ErrorsComeBack) {
  ComputeLanes lanes;
  EXPECT_THROW(lanes.Run(Lane::kQuick, [] { throw Refusal(418, "no"); }, {}), Refusal);
  int done = 0;
  lanes.Run(Lane::kQuick, [&] { ++done; }, {});
  EXPECT_EQ(done, 1);
}

// The long lane at work until it is released.
class BusyLanes : public ::testing::Test {
 protected:
  BusyLanes() {
    held_ = std::thread([this] {
      lanes_.Run(Lane::kLong,
                 [this] {
                   begun_.count_down();
                   release_.wait();
                 },
                 {});
    });
    begun_.wait();
  }
  ~BusyLanes() override { Release(); }
  void Release() {
    if (!held_.joinable()) return;
    release_.count_down();
    held_.join();
  }

  ComputeLanes lanes_;
  std::latch begun_{1}, release_{1};
  std::thread held_;
};

TEST_F(BusyLanes, QuickWorkDoesNotWaitForLongWork) {
  int done = 0;
  for (int i = 0; i < 10; ++i) lanes_.Run(Lane::kQuick, [&] { ++done; }, {});
  EXPECT_EQ(done, 10);
}

TEST_F(BusyLanes, WhatWaitsCanBeGivenUp) {
  int asked = 0;
  bool done = false;
  EXPECT_THROW(lanes_.Run(
                   Lane::kLong, [&] { done = true; },
                   [&] {
                     if (++asked == 3) throw Refusal(503, "given up");
                   }),
               Refusal);
  Release();
  lanes_.Run(Lane::kLong, [] {}, {});
  EXPECT_FALSE(done);
}

TEST_F(BusyLanes, LongWorkIsDoneInOrderAndBounded) {
  std::vector<int> order;
  std::vector<std::thread> waiting;
  for (size_t i = 0; i < ComputeLanes::kMostWaiting; ++i) {
    std::latch queued(1);
    waiting.emplace_back([&, i] {
      bool told = false;
      lanes_.Run(
          Lane::kLong, [&, i] { order.push_back(static_cast<int>(i)); },
          [&] {
            if (!told) queued.count_down();
            told = true;
          });
    });
    queued.wait();
  }
  try {
    lanes_.Run(Lane::kLong, [] {}, {});
    ADD_FAILURE() << "was taken";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), 503);
    EXPECT_THAT(refusal.what(), HasSubstr("too many long questions wait"));
  }
  Release();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(ComputeLanes, LongWorkYields) {
  ComputeLanes lanes;
  int quick = 0, lengthy = 0;
  lanes.Run(Lane::kQuick, [&] { quick = getpriority(PRIO_PROCESS, 0); }, {});
  lanes.Run(Lane::kLong, [&] { lengthy = getpriority(PRIO_PROCESS, 0); }, {});
  EXPECT_EQ(quick, getpriority(PRIO_PROCESS, 0));
  EXPECT_GT(lengthy, quick);
}

TEST(ComputeLanes, ManyThreadsAsk) {
  ComputeLanes lanes;
  std::atomic<int> at_once = 0, done = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        lanes.Run(Lane::kQuick,
                  [&] {
                    EXPECT_EQ(++at_once, 1);
                    ++done;
                    --at_once;
                  },
                  {});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 1000);
}

}  // namespace
}  // namespace vggt
