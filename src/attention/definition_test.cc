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

TEST(Definition, PeopleCanTellThemApart) {
  std::set<std::string> labels, units;
  for (const DefinitionInfo& info : Definitions()) {
    EXPECT_TRUE(labels.insert(info.label).second) << info.label;
    EXPECT_TRUE(units.insert(info.unit).second) << info.unit;
  }
  EXPECT_FALSE(labels.contains("") || units.contains(""));
}

TEST(Definition, ProbabilitiesAreTheSoftmaxes) {
  EXPECT_TRUE(IsProbability(Definition::kModel));
  EXPECT_TRUE(IsProbability(Definition::kPatches));
  EXPECT_TRUE(IsProbability(Definition::kFrame));
  EXPECT_FALSE(IsProbability(Definition::kLogits));
  EXPECT_FALSE(IsProbability(Definition::kCosine));
}

TEST(Definition, ProbabilitiesAreNeverNegative) {
  for (const DefinitionInfo& info : Definitions()) {
    EXPECT_FALSE(info.is_signed && info.probability) << info.name;
  }
}

}  // namespace
}  // namespace vggt
