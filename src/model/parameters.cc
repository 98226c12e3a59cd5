// SPDX-License-Identifier: Apache-2.0
#include "model/parameters.h"

#include "core/error.h"
#include "kernels/rowwise.h"

namespace vggt {
namespace {

// Epsilons: DINOv2 is built with LayerNorm(eps=1e-6); the aggregator's blocks and q/k norms have
// PyTorch's default.
constexpr float kEncoderEps = 1e-6F;
constexpr float kBlockEps = 1e-5F;

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const ModelConfig& config, double blocks,
         const std::function<void(double)>& progress)
      : checkpoint_(checkpoint), config_(config), blocks_(blocks), progress_(progress) {}

  // The named tensor as float32; `rows` > 0 takes only the first rows.
  FloatBuffer Load(const std::string& name, int64_t rows = 0) const {
    const std::string full = config_.prefix + name;
    const TensorView* tensor = checkpoint_.Find(full);
    if (tensor == nullptr) throw Error("tensor " + full + " is missing", checkpoint_.name());
    TensorView view = *tensor;
    if (rows > 0) view.shape[0] = rows;
    FloatBuffer values(NumElements(view.shape));
    CopyToF32(view, values.data());
    checkpoint_.Release(*tensor);
    if (!AllFinite(values.data(), static_cast<int64_t>(values.size()))) {
      throw Error(fmt::format("tensor {} holds infinite or NaN values", Printable(full)),
                  checkpoint_.name(), "The file is damaged, or its training diverged.");
    }
    return values;
  }

  NormParameters Norm(const std::string& name, float eps) const {
    return {Load(name + ".weight"), Load(name + ".bias"), eps};
  }

  Linear Layer(const std::string& name, int64_t in, int64_t out,
               LinearEpilogue epilogue = LinearEpilogue::kNone) const {
    const FloatBuffer weight = Load(name + ".weight", out), bias = Load(name + ".bias", out);
    return {in, out, weight.data(), bias.data(), epilogue};
  }

  // A layer whose result is scaled, channel by channel, and added to the residual stream.
  Linear ScaledLayer(const std::string& name, const std::string& gamma_name, int64_t in,
                     int64_t out) const {
    FloatBuffer weight = Load(name + ".weight"), bias = Load(name + ".bias");
    const FloatBuffer gamma = Load(gamma_name);
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i) weight[o * in + i] *= gamma[o];
      bias[o] *= gamma[o];
    }
    return {in, out, weight.data(), bias.data(), LinearEpilogue::kAddToOutput};
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
    constexpr int64_t kPatchValues = 3 * kPatchSize * kPatchSize;
    if (config_.encoder == EncoderKind::kConvolution) {
      return {Layer("patch_embed.proj", kPatchValues, config_.dim), {}, {}, {}, {}, {}};
    }
    EncoderParameters encoder{Layer("patch_embed.patch_embed.proj", kPatchValues, config_.dim),
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
  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  double blocks_, done_ = 0;
  const std::function<void(double)>& progress_;
};

}  // namespace

AggregatorParameters LoadParameters(const Checkpoint& checkpoint, const ModelConfig& config,
                                    int64_t last_layer,
                                    const std::function<void(double)>& progress) {
  Loader loader(checkpoint, config,
                static_cast<double>(config.encoder_depth + 2 * (last_layer + 1)), progress);
  AggregatorParameters parameters{
      loader.Load("camera_token"), loader.Load("register_token"), loader.Encoder(), {}, {}};
  for (int64_t i = 0; i <= last_layer; ++i) {
    parameters.frame_blocks.push_back(
        loader.Block(fmt::format("frame_blocks.{}.", i), config.head_dim, true, kBlockEps));
    parameters.global_blocks.push_back(loader.Block(
        fmt::format("global_blocks.{}.", i), config.head_dim, true, kBlockEps, i < last_layer));
  }
  return parameters;
}

}  // namespace vggt
