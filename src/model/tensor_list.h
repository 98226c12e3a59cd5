// SPDX-License-Identifier: Apache-2.0
// The tensors that parts of a plan name, in the order in which they are added.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/plan.h"

namespace vggt {

class TensorList {
 public:
  void Add(std::string name, Shape shape) { all_.push_back({std::move(name), std::move(shape)}); }
  void Add(const LinearSpec& layer);
  void Add(const std::optional<NormSpec>& norm);
  void Add(const BlockSpec& block);
  void Add(const std::vector<WantedTensor>& tensors);

  std::vector<WantedTensor> Take() { return std::move(all_); }

 private:
  std::vector<WantedTensor> all_;
};

}  // namespace vggt
