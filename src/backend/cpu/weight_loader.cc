// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/weight_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/norms.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

// Values of a weight that a thread converts at a time: they stay in the second-level cache.
constexpr int64_t kPieceValues = 1 << 16;

}  // namespace

WeightLoader::WeightLoader(const Checkpoint& checkpoint, std::string prefix, Precision precision)
    : checkpoint_(checkpoint), prefix_(std::move(prefix)), precision_(precision) {}

FloatBuffer WeightLoader::Values(const std::string& name, int64_t rows) const {
  const std::string full = prefix_ + name;
  const TensorView& tensor = Find(full);
  const TensorView view = rows > 0 ? RowsOf(tensor, 0, rows) : tensor;
  FloatBuffer values(NumElements(view.shape));
  CopyToF32(view, values.data());
  checkpoint_.Release(tensor);
  if (!AllFinite(values.data(), static_cast<int64_t>(values.size()))) NotFinite(full);
  return values;
}

NormParameters WeightLoader::Norm(const NormSpec& spec) const {
  return {Values(spec.name + ".weight"), Values(spec.name + ".bias"), spec.eps};
}

FloatBuffer WeightLoader::PositiveValues(const std::string& name) const {
  FloatBuffer values = Values(name);
  for (const float value : values.span()) {
    if (value > 0) continue;
    throw Error(
        fmt::format("tensor {} holds values that are not positive", Printable(prefix_ + name)),
        checkpoint_.name(), "The file is damaged.");
  }
  return values;
}

std::optional<NormParameters> WeightLoader::Norm(const std::optional<NormSpec>& spec) const {
  return spec ? std::optional(Norm(*spec)) : std::nullopt;
}

Linear WeightLoader::Layer(const LinearSpec& spec, LinearEpilogue epilogue) {
  return precision_ == Precision::kBf16 ? LayerOf(staging_bf16_, spec, epilogue)
                                        : LayerOf(staging_f32_, spec, epilogue);
}

Linear WeightLoader::LayerInF32(const LinearSpec& spec, LinearEpilogue epilogue) {
  return LayerOf(staging_f32_, spec, epilogue);
}

BlockParameters WeightLoader::Block(const BlockSpec& spec, bool with_grams) {
  BlockParameters block{Norm(spec.norm1), Norm(spec.q_norm), Norm(spec.k_norm),
                        Layer(spec.qkv, LinearEpilogue::kNone), std::nullopt};
  if (spec.rest) {
    block.rest = BlockParameters::Rest{
        Layer(spec.rest->proj, LinearEpilogue::kAddToOutput), Norm(spec.rest->norm2),
        Layer(spec.rest->fc1, spec.rest->gated ? LinearEpilogue::kNone : LinearEpilogue::kGelu),
        Layer(spec.rest->fc2, LinearEpilogue::kAddToOutput),
        with_grams ? OutputGrams(spec) : FloatBuffer()};
  }
  return block;
}

FloatBuffer WeightLoader::OutputGrams(const BlockSpec& spec) const {
  const FloatBuffer weight = Values(spec.rest->proj.name + ".weight");
  FloatBuffer grams(spec.heads * spec.head_dim * spec.head_dim);
  HeadGrams(spec.rest->proj.out, spec.heads, spec.head_dim, weight.data(), grams.data());
  return grams;
}

const TensorView& WeightLoader::Find(const std::string& full) const {
  const TensorView* tensor = checkpoint_.Find(full);
  if (tensor == nullptr) throw Error("tensor " + full + " is missing", checkpoint_.name());
  return *tensor;
}

void WeightLoader::NotFinite(const std::string& full) const {
  throw Error(fmt::format("tensor {} holds infinite or NaN values", Printable(full)),
              checkpoint_.name(), "The file is damaged, or its training diverged.");
}

// LayerScale multiplies y = x · Wᵀ + b by a factor for each channel. Each row of W and each value
// of b is multiplied by its factor here, once, so that no pass needs to.
template <typename T>
Linear WeightLoader::LayerOf(AlignedBuffer<T>& staging, const LinearSpec& spec,
                             LinearEpilogue epilogue) {
  FloatBuffer bias = Values(spec.name + ".bias", spec.out), scale;
  if (!spec.bias_mask.empty()) {
    const FloatBuffer mask = Values(spec.bias_mask, spec.out);
    for (int64_t o = 0; o < spec.out; ++o) bias[o] *= mask[o];
  }
  const auto [first, count] = spec.no_bias;
  for (int64_t o = first; o < std::min(first + count, spec.out); ++o) bias[o] = 0;
  if (!spec.scale.empty()) {
    scale = Values(spec.scale);
    for (int64_t o = 0; o < spec.out; ++o) bias[o] *= scale[o];
  }
  StageWeight(spec, scale.data(), staging);
  return {spec.in, spec.out, staging.data(), bias.data(), epilogue};
}

// The rows [first, first + count) of a tensor as float32.
void WeightLoader::CopyRows(const TensorView& tensor, int64_t first, int64_t count,
                            float* values) const {
  TensorView rows = RowsOf(tensor, first, count);
  const size_t size = NumElements(rows.shape) * DTypeSize(rows.dtype);
  if (!rows.strides.empty() || size == 0 || size > rows.bytes.size()) {
    CopyToF32(rows, values);  // which also says what is wrong
  } else if (rows.dtype == DType::kF32) {
    checkpoint_.Read(rows.bytes.first(size), reinterpret_cast<uint8_t*>(values));
  } else {
    AlignedBuffer<uint8_t> read(size);
    checkpoint_.Read(rows.bytes.first(size), read.data());
    rows.bytes = read.span();
    CopyToF32(rows, values);
  }
}

// staging [out, in]: the first rows of a weight, each times its factor if `factors` is not null.
// The file is gone through once, in pieces that stay in a processor's cache from reading to
// writing.
template <typename T>
void WeightLoader::StageWeight(const LinearSpec& spec, const float* factors,
                               AlignedBuffer<T>& staging) {
  const int64_t rows = spec.out, cols = spec.in;
  const std::string full = prefix_ + spec.name + ".weight";
  const TensorView& tensor = Find(full);
  if (staging.size() < static_cast<size_t>(rows * cols)) staging = AlignedBuffer<T>(rows * cols);
  const int64_t step = std::max<int64_t>(kPieceValues / cols, 1);
  std::atomic<bool> finite{true};
  ParallelFor((rows + step - 1) / step, 1, [&](size_t piece) {
    const int64_t first = static_cast<int64_t>(piece) * step;
    const int64_t count = std::min(step, rows - first);
    FloatBuffer values(count * cols);
    CopyRows(tensor, first, count, values.data());
    for (int64_t r = 0; r < count; ++r) {
      const float scale = factors == nullptr ? 1 : factors[first + r];
      T* to = staging.data() + (first + r) * cols;
      if (!ScaleFinite(values.data() + r * cols, cols, scale, to)) finite = false;
    }
  });
  checkpoint_.Release(tensor);
  if (!finite) NotFinite(full);
}

}  // namespace vggt
