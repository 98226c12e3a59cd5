// SPDX-License-Identifier: Apache-2.0
#include "model/tensor_list.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> TextsOf(TensorList list) {
  std::vector<std::string> texts;
  for (const WantedTensor& tensor : list.Take()) {
    texts.push_back(tensor.name + ' ' + ShapeText(tensor.shape));
  }
  return texts;
}

TEST(TensorList, NamesWhatLayersAndNormsHave) {
  TensorList list;
  list.Add(LinearSpec{"a", 2, 3, ""});
  list.Add(LinearSpec{"b", 4, 5, "b_scale"});
  list.Add(NormSpec{"n", 6, 1e-5F});
  list.Add(std::optional<NormSpec>());
  list.Add("t", {1, 7});
  list.Add(std::vector<WantedTensor>{{"u", {8}, false}});
  EXPECT_THAT(TextsOf(list),
              ElementsAre("a.weight [3, 2]", "a.bias [3]", "b.weight [5, 4]", "b.bias [5]",
                          "b_scale [5]", "n.weight [6]", "n.bias [6]", "t [1, 7]", "u [8]"));
}

TEST(TensorList, ABlockWithoutRestEndsAtItsQueriesAndKeys) {
  BlockSpec block;
  block.norm1 = {"norm1", 4, 1e-5F};
  block.qkv = {"qkv", 4, 8, ""};
  block.q_norm = {"q_norm", 2, 1e-5F};
  TensorList list;
  list.Add(block);
  EXPECT_THAT(TextsOf(list), ElementsAre("norm1.weight [4]", "norm1.bias [4]", "qkv.weight [8, 4]",
                                         "qkv.bias [8]", "q_norm.weight [2]", "q_norm.bias [2]"));
}

}  // namespace
}  // namespace vggt
