// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.h"

#include <gmock/gmock.h>
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace vggt {
namespace {

TEST(Parallel, CallsEachIndexOnce) {
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    EXPECT_EQ(ThreadCount(), threads);
    for (const size_t count : {0, 1, 5, 100}) {
      for (const size_t grain : {0, 1, 3, 1000}) {
        std::vector<std::atomic<int>> calls(count);
        ParallelFor(count, grain, [&](size_t i) {
          ++calls[i];
          EXPECT_GE(ThreadIndex(), 0);
          EXPECT_LT(ThreadIndex(), threads);
        });
        for (const auto& n : calls) EXPECT_EQ(n, 1);
      }
    }
  }
}

TEST(Parallel, AThreadBeginsWithItsOwnShare) {
  SetThreadCount(2);
  std::vector<int> by(2, -1);
  std::atomic<int> begun = 0;
  ParallelFor(100, 50, [&](size_t i) {
    if (i % 50 != 0) return;
    ++begun;
    while (begun < 2) std::this_thread::yield();  // so that no thread takes both shares
    by[i / 50] = ThreadIndex();
  });
  EXPECT_THAT(by, ::testing::ElementsAre(0, 1));
}

TEST(Parallel, InOrder) {
  for (const int threads : {1, 3}) {
    SetThreadCount(threads);
    std::vector<std::atomic<int>> calls(100);
    std::atomic<size_t> begun = 0;
    ParallelInOrder(calls.size(), [&](size_t i) {
      // Of the indices before i, at most threads - 1 have not been counted yet.
      EXPECT_LT(i, ++begun + threads - 1);
      ++calls[i];
    });
    for (const auto& n : calls) EXPECT_EQ(n, 1);
  }
}

TEST(Parallel, TheCountIsThatOfEveryThread) {
  for (const int threads : {3, 2}) {
    SetThreadCount(threads);
    std::thread([&] {
      EXPECT_EQ(ThreadCount(), threads);
      std::atomic<int> begun = 0;
      // Ends only if all threads run a body at the same time.
      ParallelFor(threads, 1, [&](size_t) {
        ++begun;
        while (begun < threads) std::this_thread::yield();
      });
      EXPECT_EQ(begun, threads);
    }).join();
  }
}

TEST(Parallel, AThreadMayWorkAlone) {
  SetThreadCount(4);
  std::thread([] {
    WorkAloneHere();
    EXPECT_EQ(ThreadCount(), 1);
    const std::thread::id here = std::this_thread::get_id();
    ParallelFor(100, 1, [&](size_t) { EXPECT_EQ(std::this_thread::get_id(), here); });
    ParallelInOrder(100, [&](size_t) { EXPECT_EQ(std::this_thread::get_id(), here); });
  }).join();
  EXPECT_EQ(ThreadCount(), 4);
}

TEST(Parallel, OneThreadHereConcernsThisThreadAlone) {
  const int before = ThreadCount();
  SetThreadCount(3);
  const int of_openmp = omp_get_max_threads();  // 3, unless core/parallel has threads of its own
  {
    const OneThreadHere one;
    EXPECT_EQ(ThreadCount(), 1);
    EXPECT_EQ(omp_get_max_threads(), 1);
    std::thread([] { EXPECT_EQ(ThreadCount(), 3); }).join();
  }
  EXPECT_EQ(ThreadCount(), 3);
  EXPECT_EQ(omp_get_max_threads(), of_openmp);
  SetThreadCount(before);
}

TEST(Parallel, RethrowsTheFirstExceptionAndSkipsTheRest) {
  SetThreadCount(4);
  std::atomic<int> calls = 0;
  std::atomic<bool> thrown = false;
  try {
    ParallelFor(1000, 1, [&](size_t i) {
      ++calls;
      if (i == 3) {
        thrown = true;
        throw std::runtime_error("stop");
      }
      if (i < 3) return;
      while (!thrown) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // time for the loop to stop
    });
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "stop");
  }
  EXPECT_LT(calls, 500);
}

#ifndef VGGT_THREAD_SANITIZER  // ends a child that starts threads
// The status that a child process of fork() ends with when it has run `body`; SIGALRM's if it
// hangs.
int ChildStatus(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body() ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(Parallel, ChildrenOfForkHaveThreadsOfTheirOwn) {
  SetThreadCount(3);
  const auto all_are_called = [] {
    std::vector<std::atomic<int>> calls(100);
    std::atomic<bool> right = true;
    ParallelFor(calls.size(), 1, [&](size_t i) {
      ++calls[i];
      if (ThreadIndex() < 0 || ThreadIndex() >= 3) right = false;
    });
    return right && std::ranges::all_of(calls, [](const auto& n) { return n == 1; });
  };
  EXPECT_TRUE(all_are_called());  // the pool is there
  EXPECT_EQ(ChildStatus(all_are_called), 0);
  // A child's child, whose parent has its pool on another thread.
  EXPECT_EQ(ChildStatus([&] { return all_are_called() && ChildStatus(all_are_called) == 0; }), 0);
  EXPECT_TRUE(all_are_called());
}

TEST(Parallel, WholePoolsAreElsewhereInChildrenOfFork) {
  SetThreadCount(3);
  const auto here = std::this_thread::get_id();
  WithWholePool([&] { EXPECT_EQ(std::this_thread::get_id(), here); });
  const auto of_openmp_are_elsewhere = [&] {
    std::atomic<int> threads = 0;
    WithWholePool([&] {  // as oneDNN does it
#pragma omp parallel
      threads += std::this_thread::get_id() == here ? 100 : 1;
    });
    try {
      WithWholePool([] { throw std::runtime_error("stop"); });
    } catch (const std::runtime_error&) {
#ifdef __clang__  // LLVM's OpenMP chooses another number there
      return threads > 0 && threads < 100;
#else
      return threads == 3;
#endif
    }
    return false;
  };
  EXPECT_EQ(ChildStatus(of_openmp_are_elsewhere), 0);
}
#endif

}  // namespace
}  // namespace vggt
