// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/parameters.h"

#include <algorithm>
#include <atomic>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

// Epsilons: DINOv2 is built with LayerNorm(eps=1e-6); the aggregator's blocks and q/k norms have
// PyTorch's default.
constexpr float kEncoderEps = 1e-6F;
constexpr float kBlockEps = 1e-5F;

// Values of a weight that a thread converts at a time: they stay in the second-level cache.
constexpr int64_t kPieceValues = 1 << 16;

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const ModelConfig& config, Precision precision,
         double blocks, const std::function<void(double)>& progress)
      : checkpoint_(checkpoint),
        config_(config),
        precision_(precision),
        blocks_(blocks),
        progress_(progress) {}

  // The named tensor as float32; `rows` > 0 takes only the first rows.
  FloatBuffer Load(const std::string& name, int64_t rows = 0) const {
    const std::string full = config_.prefix + name;
    const TensorView& tensor = Find(full);
    const TensorView view = rows > 0 ? RowsOf(tensor, 0, rows) : tensor;
    FloatBuffer values(NumElements(view.shape));
    CopyToF32(view, values.data());
    checkpoint_.Release(tensor);
    if (!AllFinite(values.data(), static_cast<int64_t>(values.size()))) NotFinite(full);
    return values;
  }

  NormParameters Norm(const std::string& name, float eps) const {
    return {Load(name + ".weight"), Load(name + ".bias"), eps};
  }

  // A layer of the first `out` rows. With `gamma` its result is scaled, channel by channel, and
  // added to the residual stream.
  Linear Layer(const std::string& name, int64_t in, int64_t out,
               LinearEpilogue epilogue = LinearEpilogue::kNone,
               const std::string& gamma_name = "") {
    return precision_ == Precision::kBf16
               ? LayerOf(staging_bf16_, name, in, out, epilogue, gamma_name)
               : LayerOf(staging_f32_, name, in, out, epilogue, gamma_name);
  }

  Linear ScaledLayer(const std::string& name, const std::string& gamma_name, int64_t in,
                     int64_t out) {
    return Layer(name, in, out, LinearEpilogue::kAddToOutput, gamma_name);
  }

  BlockParameters Block(const std::string& prefix, int64_t head_dim, bool qk_norm, float eps,
                        bool whole = true) {
    const int64_t dim = config_.dim, hidden = config_.hidden;
    BlockParameters block{head_dim,
                          Norm(prefix + "norm1", eps),
                          std::nullopt,
                          std::nullopt,
                          Layer(prefix + "attn.qkv", dim, (whole ? 3 : 2) * dim),
                          std::nullopt};
    if (qk_norm) {
      block.q_norm = Norm(prefix + "attn.q_norm", kBlockEps);
      block.k_norm = Norm(prefix + "attn.k_norm", kBlockEps);
    }
    if (whole) {
      block.rest =
          BlockParameters::Rest{ScaledLayer(prefix + "attn.proj", prefix + "ls1.gamma", dim, dim),
                                Norm(prefix + "norm2", eps),
                                Layer(prefix + "mlp.fc1", dim, hidden, LinearEpilogue::kGelu),
                                ScaledLayer(prefix + "mlp.fc2", prefix + "ls2.gamma", hidden, dim)};
    }
    if (progress_) progress_(++done_ / blocks_);
    return block;
  }

  EncoderParameters Encoder() {
    if (config_.encoder == EncoderKind::kConvolution) {
      return {Projection("patch_embed.proj"), {}, {}, {}, {}, {}};
    }
    EncoderParameters encoder{Projection("patch_embed.patch_embed.proj"),
                              Load("patch_embed.cls_token"),
                              Load("patch_embed.register_tokens"),
                              Load("patch_embed.pos_embed"),
                              {},
                              Norm("patch_embed.norm", kEncoderEps)};
    for (int64_t i = 0; i < config_.encoder_depth; ++i) {
      encoder.blocks.push_back(
          Block(fmt::format("patch_embed.blocks.{}.", i), kEncoderHeadDim, false, kEncoderEps));
    }
    return encoder;
  }

 private:
  const TensorView& Find(const std::string& full) const {
    const TensorView* tensor = checkpoint_.Find(full);
    if (tensor == nullptr) throw Error("tensor " + full + " is missing", checkpoint_.name());
    return *tensor;
  }

  [[noreturn]] void NotFinite(const std::string& full) const {
    throw Error(fmt::format("tensor {} holds infinite or NaN values", Printable(full)),
                checkpoint_.name(), "The file is damaged, or its training diverged.");
  }

  Linear Projection(const std::string& name) {
    return LayerOf(staging_f32_, name, 3 * kPatchSize * kPatchSize, config_.dim,
                   LinearEpilogue::kNone, "");
  }

  template <typename T>
  Linear LayerOf(AlignedBuffer<T>& staging, const std::string& name, int64_t in, int64_t out,
                 LinearEpilogue epilogue, const std::string& gamma_name) {
    FloatBuffer bias = Load(name + ".bias", out), gamma;
    if (!gamma_name.empty()) {
      gamma = Load(gamma_name);
      for (int64_t o = 0; o < out; ++o) bias[o] *= gamma[o];
    }
    Stage(name + ".weight", in, out, gamma.data(), staging);
    return {in, out, staging.data(), bias.data(), epilogue};
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

  // staging [rows, cols]: the first rows of a weight, each times its gamma if there is one. One
  // pass over the file in pieces that stay in a processor's cache.
  template <typename T>
  void Stage(const std::string& name, int64_t cols, int64_t rows, const float* gamma,
             AlignedBuffer<T>& staging) {
    const std::string full = config_.prefix + name;
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
        const float scale = gamma == nullptr ? 1 : gamma[first + r];
        T* to = staging.data() + (first + r) * cols;
        if (!ScaleFinite(values.data() + r * cols, cols, scale, to)) finite = false;
      }
    });
    checkpoint_.Release(tensor);
    if (!finite) NotFinite(full);
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const Precision precision_;
  // Weights on their way from the file to their packed form; grown to the largest.
  FloatBuffer staging_f32_;
  Bf16Buffer staging_bf16_;
  double blocks_, done_ = 0;
  const std::function<void(double)>& progress_;
};

}  // namespace

AggregatorParameters LoadParameters(const Checkpoint& checkpoint, const ModelConfig& config,
                                    int64_t last_layer, Precision precision,
                                    const std::function<void(double)>& progress) {
  Loader loader(checkpoint, config, precision,
                static_cast<double>(config.encoder_depth + 2 * (last_layer + 1)), progress);
  AggregatorParameters parameters{
      precision, loader.Load("camera_token"), loader.Load("register_token"), loader.Encoder(), {},
      {}};
  for (int64_t i = 0; i <= last_layer; ++i) {
    parameters.frame_blocks.push_back(
        loader.Block(fmt::format("frame_blocks.{}.", i), config.head_dim, true, kBlockEps));
    parameters.global_blocks.push_back(loader.Block(
        fmt::format("global_blocks.{}.", i), config.head_dim, true, kBlockEps, i < last_layer));
  }
  checkpoint.CheckIntact();
  return parameters;
}

}  // namespace vggt
