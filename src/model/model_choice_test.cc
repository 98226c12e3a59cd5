// SPDX-License-Identifier: Apache-2.0
#include "model/model_choice.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;

using Texts = std::vector<std::string>;

const Texts kTraining = {"ema.module.aggregator.", "model.aggregator."};

std::string Choose(const Texts& prefixes, const std::string& key) {
  return ChoosePrefix(prefixes, key, "w.pt");
}

TEST(ModelChoice, KeysAreShortButUnmistakable) {
  EXPECT_THAT(ModelKeys(kTraining), ElementsAre("ema.module", "model"));
  EXPECT_THAT(ModelKeys({"", "aggregator.", "ema."}), ElementsAre(".", "aggregator", "ema"));
  EXPECT_THAT(ModelKeys({"ema.", "ema.aggregator.", "ema.old.aggregator."}),
              ElementsAre("ema", "ema.aggregator", "ema.old"));
  EXPECT_THAT(ModelKeys({"a.aggregator.", "a.b.aggregator."}), ElementsAre("a", "a.b"));
}

TEST(ModelChoice, EveryKeyChoosesItsModel) {
  const Texts all[] = {kTraining,
                       {"", "aggregator.", "ema."},
                       {"ema.", "ema.aggregator.", "ema.old.aggregator."},
                       {"a.aggregator.", "a.b.aggregator."},
                       {"x", "y.aggregator.aggregator.", "z.aggregator"},
                       {"model.aggregator."}};
  for (const Texts& prefixes : all) {
    const Texts keys = ModelKeys(prefixes);
    for (size_t i = 0; i < prefixes.size(); ++i) {
      EXPECT_EQ(Choose(prefixes, keys[i]), prefixes[i]) << keys[i];
    }
  }
}

TEST(ModelChoice, ADictionaryOfOneModelWillDo) {
  EXPECT_EQ(Choose(kTraining, "ema"), kTraining[0]);
  EXPECT_EQ(Choose(kTraining, "ema.module."), kTraining[0]);
  EXPECT_EQ(Choose(kTraining, "ema.module.aggregator"), kTraining[0]);
  EXPECT_EQ(Choose({"model.aggregator."}, ""), "model.aggregator.");
  EXPECT_EQ(Choose({""}, ""), "");
}

TEST(ModelChoice, WhatIsNotClearListsTheChoices) {
  EXPECT_EQ(ErrorOf([] { Choose(kTraining, ""); }),
            "w.pt: holds several models. Choose one with `weights_key`: ema.module, model");
  EXPECT_EQ(ErrorOf([] { Choose(kTraining, "mod"); }),
            "w.pt: holds no model 'mod'. Choose one with `weights_key`: ema.module, model");
  EXPECT_EQ(ErrorOf([] {
              Choose({"a.b.", "a.c."}, "a");
            }),
            "w.pt: holds several models in 'a'. Choose one with `weights_key`: a.b, a.c");
  EXPECT_EQ(ErrorOf([] { Choose({"a."}, "."); }),
            "w.pt: holds no model '.'. It holds one model: leave `weights_key` out, or give a");
  try {
    Choose(kTraining, "");
  } catch (const ModelChoiceError& error) {
    EXPECT_THAT(error.keys(), ElementsAre("ema.module", "model"));
  }
}

TEST(ModelChoice, LongListsAreCut) {
  EXPECT_EQ(ListKeys({"a", "b\n"}), "a, b?");
  const std::string text = ListKeys(Texts(25, "m"));
  EXPECT_TRUE(text.ends_with("m, m and 5 more")) << text;
}

}  // namespace
}  // namespace vggt
