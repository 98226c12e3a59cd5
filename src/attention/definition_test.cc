// SPDX-License-Identifier: Apache-2.0
#include "attention/definition.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace vggt {
namespace {

TEST(Definition, NamesLeadBackToThem) {
  std::set<std::string> names;
  for (const DefinitionInfo& info : Definitions()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(FindDefinition(info.name), info.definition);
    EXPECT_EQ(InfoOf(info.definition).name, info.name);
    EXPECT_TRUE(std::string(info.text).ends_with('.')) << info.text;
  }
  for (const Definition definition : {Definition::kModel, Definition::kPatches, Definition::kFrame,
                                      Definition::kLogits, Definition::kCosine}) {
    EXPECT_EQ(InfoOf(definition).definition, definition);
  }
  EXPECT_FALSE(FindDefinition("softmax").has_value());
  EXPECT_FALSE(FindDefinition("").has_value());
}

TEST(Definition, ProbabilitiesAreTheSoftmaxes) {
  EXPECT_TRUE(IsProbability(Definition::kModel));
  EXPECT_TRUE(IsProbability(Definition::kPatches));
  EXPECT_TRUE(IsProbability(Definition::kFrame));
  EXPECT_FALSE(IsProbability(Definition::kLogits));
  EXPECT_FALSE(IsProbability(Definition::kCosine));
}

}  // namespace
}  // namespace vggt
