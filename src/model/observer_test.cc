// SPDX-License-Identifier: Apache-2.0
#include "model/observer.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(Observer, WatchesNothingUnlessAsked) {
  AttentionObserver observer;
  EXPECT_EQ(observer.Probe(0), nullptr);
  observer.OnQueriesKeys(0, {});
  observer.OnLayer(0);
}

}  // namespace
}  // namespace vggt
