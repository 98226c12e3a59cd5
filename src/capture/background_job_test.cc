// SPDX-License-Identifier: Apache-2.0
#include "capture/background_job.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

TEST(BackgroundJob, JobsRunInOrderOnAnotherThread) {
  std::vector<int> done;
  std::thread::id thread;
  BackgroundJob background;
  for (int i = 0; i < 3; ++i) {
    background.Start([&, i] {
      done.push_back(i);
      thread = std::this_thread::get_id();
    });
  }
  background.Wait();
  EXPECT_THAT(done, ElementsAre(0, 1, 2));
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_GT(background.busy_seconds(), 0);
}

TEST(BackgroundJob, TheCallerGoesOnMeanwhile) {
  BackgroundJob background;
  std::promise<void> caller;
  background.Start([&] { caller.get_future().wait(); });
  caller.set_value();  // would not be reached otherwise
  background.Wait();
}

TEST(BackgroundJob, WhatAJobThrowsIsToldOnce) {
  BackgroundJob background;
  background.Start([] { throw Error("the disk is full"); });
  bool ran = false;
  EXPECT_EQ(testing::ErrorOf([&] { background.Start([&] { ran = true; }); }), "the disk is full");
  EXPECT_FALSE(ran);
  background.Wait();
  background.Start([&] { ran = true; });
  background.Wait();
  EXPECT_TRUE(ran);
}

TEST(BackgroundJob, ItsEndWaitsForTheJobThatHasBegun) {
  std::atomic<bool> begun = false, done = false;
  {
    BackgroundJob background;
    background.Start([&] {
      begun = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      done = true;
    });
    while (!begun) std::this_thread::yield();
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace vggt
