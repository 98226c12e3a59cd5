// SPDX-License-Identifier: Apache-2.0
#include "server/row_answer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "formats/npy.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

class RowAnswer : public ::testing::Test {
 protected:
  // Two layers, one head, one of three frames of 3×4 patches behind two special tokens.
  RowAnswer() : description_(testing::SmallQkDescription()) {
    row_query_.query.layers = {0, 1};
    row_query_.query.heads = {2};
    row_query_.query.frame = 1;
    row_query_.query.tokens = {1, 7};
    row_query_.query.frames = {2};
    answer_.shape = {2, 1, 1, 14};
    answer_.values = FloatBuffer(28);
    for (int i = 0; i < 28; ++i) answer_.values[i] = static_cast<float>(i);
  }

  NpyArray Array() {
    bytes_ = RowsNpy(row_query_, description_, answer_);
    return ParseNpy(testing::AsBytes(bytes_), "answer");
  }
  float At(const NpyArray& array, size_t i) const {
    float value;
    std::memcpy(&value, array.data.data() + i * sizeof(float), sizeof(float));
    return value;
  }

  QkDescription description_;
  RowQuery row_query_;
  AttentionAnswer answer_;
  std::string bytes_;
};

TEST_F(RowAnswer, ArraysOfPatchesOrOfAllTokens) {
  const NpyArray patches = Array();
  EXPECT_EQ(patches.descr, "<f4");
  EXPECT_EQ(patches.shape, (Shape{2, 1, 1, 3, 4}));
  EXPECT_EQ(At(patches, 0), 2);
  EXPECT_EQ(At(patches, 11), 13);
  EXPECT_EQ(At(patches, 12), 16);
  row_query_.all_tokens = true;
  const NpyArray all = Array();
  EXPECT_EQ(all.shape, (Shape{2, 1, 1, 14}));
  for (size_t i = 0; i < 28; ++i) EXPECT_EQ(At(all, i), static_cast<float>(i));
}

TEST_F(RowAnswer, JsonSaysWhatWasAskedAndTheSums) {
  answer_.dropped = {0.25, 0.5};
  row_query_.query.definition = Definition::kPatches;
  const OrderedJson json = RowsJson(row_query_, description_, answer_);
  EXPECT_EQ(json["definition"], "patches");
  EXPECT_EQ(json["block"], "global");
  EXPECT_EQ(json["rope"], "after");
  EXPECT_EQ(json["reduce"], "none");
  EXPECT_EQ(json["layers"], OrderedJson({1, 5}));
  EXPECT_EQ(json["heads"], OrderedJson({2}));
  EXPECT_EQ(json["shape"], OrderedJson({2, 1, 1, 3, 4}));
  EXPECT_EQ(json["query"]["frame"], 1);
  EXPECT_EQ(json["query"]["tokens"].dump(), R"([{"token":"register_1"},{"row":1,"col":1}])");
  EXPECT_EQ(json["special_mass"].dump(), "[[[1.0]],[[29.0]]]");
  EXPECT_EQ(json["patch_mass"].dump(), "[[[90.0]],[[258.0]]]");
  EXPECT_EQ(json["dropped"].dump(), "[[0.25],[0.5]]");
}

TEST_F(RowAnswer, LogitsHaveNoSums) {
  row_query_.query.definition = Definition::kLogits;
  const OrderedJson json = RowsJson(row_query_, description_, answer_);
  EXPECT_FALSE(json.contains("patch_mass") || json.contains("dropped"));
}

}  // namespace
}  // namespace vggt
