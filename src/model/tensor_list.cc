// SPDX-License-Identifier: Apache-2.0
#include "model/tensor_list.h"

namespace vggt {

void TensorList::Add(const LinearSpec& layer) {
  Add(layer.name + ".weight", {layer.out, layer.in});
  Add(layer.name + ".bias", {layer.out});
  if (!layer.bias_mask.empty()) Add(layer.bias_mask, {layer.out});
  if (!layer.scale.empty()) Add(layer.scale, {layer.out});
}

void TensorList::Add(const std::optional<NormSpec>& norm) {
  if (!norm) return;
  Add(norm->name + ".weight", {norm->width});
  Add(norm->name + ".bias", {norm->width});
}

void TensorList::Add(const BlockSpec& block) {
  Add(block.norm1);
  Add(block.qkv);
  if (block.rest) {
    Add(block.rest->proj);
    Add(block.rest->norm2);
    Add(block.rest->fc1);
    Add(block.rest->fc2);
  }
  Add(block.q_norm);
  Add(block.k_norm);
}

void TensorList::Add(const std::vector<WantedTensor>& tensors) {
  all_.insert(all_.end(), tensors.begin(), tensors.end());
}

}  // namespace vggt
