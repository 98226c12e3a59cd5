// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/norms.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

// Values of a weight that a thread converts at a time: they stay in the second-level cache.
constexpr int64_t kPieceValues = 1 << 16;

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const ModelPlan& plan, Precision precision,
         const std::function<void(double)>& progress)
      : checkpoint_(checkpoint), plan_(plan), precision_(precision), progress_(progress) {
    for (const StageSpec& stage : plan.stages) {
      blocks_ += static_cast<double>(stage.blocks.size());
    }
  }

  // The patch convolution.
  Linear Projection() { return LayerOf(staging_f32_, plan_.projection, LinearEpilogue::kNone); }

  StageParameters Stage(const StageSpec& spec) {
    StageParameters stage;
    for (const TokenSpec& token : spec.tokens) stage.tokens.push_back(Load(token.tensor));
    if (spec.positions) stage.positions = Load(spec.positions->tensor);
    for (const BlockSpec& block : spec.blocks) stage.blocks.push_back(Block(block));
    stage.norm = Norm(spec.norm);
    return stage;
  }

 private:
  // The named tensor as float32; `rows` > 0 takes only the first rows.
  FloatBuffer Load(const std::string& name, int64_t rows = 0) const {
    const std::string full = plan_.prefix + name;
    const TensorView& tensor = Find(full);
    const TensorView view = rows > 0 ? RowsOf(tensor, 0, rows) : tensor;
    FloatBuffer values(NumElements(view.shape));
    CopyToF32(view, values.data());
    checkpoint_.Release(tensor);
    if (!AllFinite(values.data(), static_cast<int64_t>(values.size()))) NotFinite(full);
    return values;
  }

  NormParameters Norm(const NormSpec& spec) const {
    return {Load(spec.name + ".weight"), Load(spec.name + ".bias"), spec.eps};
  }

  std::optional<NormParameters> Norm(const std::optional<NormSpec>& spec) const {
    return spec ? std::optional(Norm(*spec)) : std::nullopt;
  }

  Linear Layer(const LinearSpec& spec, LinearEpilogue epilogue) {
    return precision_ == Precision::kBf16 ? LayerOf(staging_bf16_, spec, epilogue)
                                          : LayerOf(staging_f32_, spec, epilogue);
  }

  BlockParameters Block(const BlockSpec& spec) {
    BlockParameters block{Norm(spec.norm1), Norm(spec.q_norm), Norm(spec.k_norm),
                          Layer(spec.qkv, LinearEpilogue::kNone), std::nullopt};
    if (spec.rest) {
      block.rest = BlockParameters::Rest{
          Layer(spec.rest->proj, LinearEpilogue::kAddToOutput), Norm(spec.rest->norm2),
          Layer(spec.rest->fc1, LinearEpilogue::kGelu),
          Layer(spec.rest->fc2, LinearEpilogue::kAddToOutput), OutputGrams(spec)};
    }
    if (progress_) progress_(++done_ / blocks_);
    return block;
  }

  FloatBuffer OutputGrams(const BlockSpec& spec) const {
    if (!plan_.tapped(spec.id)) return {};
    const FloatBuffer weight = Load(spec.rest->proj.name + ".weight");
    FloatBuffer grams(spec.heads * spec.head_dim * spec.head_dim);
    HeadGrams(spec.rest->proj.out, spec.heads, spec.head_dim, weight.data(), grams.data());
    return grams;
  }

  const TensorView& Find(const std::string& full) const {
    const TensorView* tensor = checkpoint_.Find(full);
    if (tensor == nullptr) throw Error("tensor " + full + " is missing", checkpoint_.name());
    return *tensor;
  }

  [[noreturn]] void NotFinite(const std::string& full) const {
    throw Error(fmt::format("tensor {} holds infinite or NaN values", Printable(full)),
                checkpoint_.name(), "The file is damaged, or its training diverged.");
  }

  // LayerScale multiplies y = x · Wᵀ + b by a factor for each channel. Each row of W and each value
  // of b is multiplied by its factor here, once, so that no pass needs to.
  template <typename T>
  Linear LayerOf(AlignedBuffer<T>& staging, const LinearSpec& spec, LinearEpilogue epilogue) {
    FloatBuffer bias = Load(spec.name + ".bias", spec.out), scale;
    if (!spec.scale.empty()) {
      scale = Load(spec.scale);
      for (int64_t o = 0; o < spec.out; ++o) bias[o] *= scale[o];
    }
    StageWeight(spec, scale.data(), staging);
    return {spec.in, spec.out, staging.data(), bias.data(), epilogue};
  }

  // The rows [first, first + count) of a tensor as float32.
  void CopyRows(const TensorView& tensor, int64_t first, int64_t count, float* values) const {
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
  void StageWeight(const LinearSpec& spec, const float* factors, AlignedBuffer<T>& staging) {
    const int64_t rows = spec.out, cols = spec.in;
    const std::string full = plan_.prefix + spec.name + ".weight";
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

  const Checkpoint& checkpoint_;
  const ModelPlan& plan_;
  const Precision precision_;
  // Weights on their way from the file to their packed form; grown to the largest.
  FloatBuffer staging_f32_;
  Bf16Buffer staging_bf16_;
  double blocks_ = 0, done_ = 0;
  const std::function<void(double)>& progress_;
};

}  // namespace

ModelParameters LoadParameters(const Checkpoint& checkpoint, const ModelPlan& plan,
                               Precision precision, const std::function<void(double)>& progress) {
  Loader loader(checkpoint, plan, precision, progress);
  ModelParameters parameters{plan, precision, loader.Projection(), {}};
  for (const StageSpec& stage : plan.stages) parameters.stages.push_back(loader.Stage(stage));
  checkpoint.CheckIntact();
  return parameters;
}

}  // namespace vggt
