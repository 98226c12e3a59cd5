// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "core/error.h"

namespace vggt {
namespace {

// In processes of their own: what is noted stays noted.
TEST(InterruptDeathTest, IsThrownOnceNoted) {
  EXPECT_EXIT(
      {
        CatchInterrupts();
        ThrowIfInterrupted();
        std::raise(SIGINT);
        try {
          ThrowIfInterrupted();
        } catch (const Interrupted&) {
          std::exit(7);
        }
      },
      ::testing::ExitedWithCode(7), "");
}

TEST(InterruptDeathTest, WhatWasIgnoredStaysIgnored) {
  EXPECT_EXIT(
      {
        std::signal(SIGHUP, SIG_IGN);
        CatchInterrupts();
        std::raise(SIGHUP);
        ThrowIfInterrupted();
        std::exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

TEST(InterruptDeathTest, AfterwardsSignalsDoWhatTheyDid) {
  EXPECT_EXIT(
      {
        std::signal(SIGINT, [](int) { std::_Exit(7); });
        {
          const SignalsAsBefore signals;
          CatchInterrupts();
          std::signal(SIGPIPE, SIG_IGN);
          std::raise(SIGINT);
        }
        CatchInterrupts();
        ThrowIfInterrupted();  // what was noted then is forgotten
        { const SignalsAsBefore ignored; }
        std::signal(SIGINT, [](int) { std::_Exit(7); });
        std::raise(SIGINT);
      },
      ::testing::ExitedWithCode(7), "");
}

TEST(InterruptDeathTest, TheSecondEndsTheProcess) {
  EXPECT_EXIT(
      {
        CatchInterrupts();
        std::raise(SIGTERM);
        std::raise(SIGTERM);
      },
      ::testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(InterruptDeathTest, HeldBackUntilAwaited) {
  EXPECT_EXIT(
      {
        std::signal(SIGHUP, SIG_IGN);
        HoldInterrupts();
        std::raise(SIGHUP);
        std::thread([] {
          kill(getpid(), SIGTERM);
          AwaitInterrupt();
          std::exit(7);
        }).join();
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace vggt
