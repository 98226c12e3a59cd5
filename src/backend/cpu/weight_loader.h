// SPDX-License-Identifier: Apache-2.0
// From a checkpoint's tensors to packed weights.
#pragma once

#include <optional>
#include <string>

#include "backend/cpu/linear.h"
#include "backend/cpu/parameters.h"
#include "core/tensor.h"
#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

// Reads what parts of a plan name, each tensor once, and gives its pages back to the operating
// system. `prefix` stands before every name. All throw Error naming the tensor if it is missing, or
// if a value is infinite or NaN. Shapes must be the plan's (model/checkpoint_report.h).
class WeightLoader {
 public:
  // The checkpoint must outlive it. `precision` concerns Layer and Block.
  WeightLoader(const Checkpoint& checkpoint, std::string prefix, Precision precision);

  // The named tensor as float32; `rows` > 0 takes only the first rows.
  FloatBuffer Values(const std::string& name, int64_t rows = 0) const;
  // The same; throws Error if a value is not positive.
  FloatBuffer PositiveValues(const std::string& name) const;
  NormParameters Norm(const NormSpec& spec) const;
  std::optional<NormParameters> Norm(const std::optional<NormSpec>& spec) const;
  Linear Layer(const LinearSpec& spec, LinearEpilogue epilogue);
  Linear LayerInF32(const LinearSpec& spec, LinearEpilogue epilogue);
  // `with_grams`: with BlockParameters::Rest::output_grams.
  BlockParameters Block(const BlockSpec& spec, bool with_grams);

 private:
  const TensorView& Find(const std::string& full) const;
  [[noreturn]] void NotFinite(const std::string& full) const;
  FloatBuffer OutputGrams(const BlockSpec& spec) const;
  void CopyRows(const TensorView& tensor, int64_t first, int64_t count, float* values) const;
  template <typename T>
  Linear LayerOf(AlignedBuffer<T>& staging, const LinearSpec& spec, LinearEpilogue epilogue);
  template <typename T>
  void StageWeight(const LinearSpec& spec, const float* factors, AlignedBuffer<T>& staging);

  const Checkpoint& checkpoint_;
  const std::string prefix_;
  const Precision precision_;
  // Weights on their way from the file to their packed form; grown to the largest.
  FloatBuffer staging_f32_;
  Bf16Buffer staging_bf16_;
};

}  // namespace vggt
