// SPDX-License-Identifier: Apache-2.0
// What kind of model a checkpoint holds, read off the names and shapes of its tensors.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"
#include "weights/checkpoint.h"

namespace vggt {

inline constexpr int64_t kPatchSize = 14;       // pixels
inline constexpr int64_t kEncoderHeadDim = 64;  // DINOv2's heads, whatever its width

enum class EncoderKind {
  kConvolution,  // a bare patch convolution
  kDino,         // DINOv2 with registers
};

// Extents of a VGGT aggregator. VGGT-1B: dim 1024, depth 24, head_dim 64, encoder_depth 24.
struct ModelConfig {
  int64_t dim = 0;       // channels of a token
  int64_t depth = 0;     // global blocks; as many frame blocks
  int64_t head_dim = 0;  // channels of a head, a multiple of 4
  int64_t hidden = 0;    // channels between the two layers of an MLP
  int64_t registers = 0;
  EncoderKind encoder = EncoderKind::kDino;
  int64_t encoder_depth = 0;  // 0 for a bare convolution, as the following
  int64_t encoder_registers = 0;
  int64_t position_grid = 0;           // the position embedding's side, in patches
  std::string prefix = "aggregator.";  // before every name in the checkpoint

  int64_t heads() const { return dim / head_dim; }
  // Camera token and registers, which precede a frame's patches.
  int64_t special_tokens() const { return 1 + registers; }
  // cls token and registers, which precede the patches inside the encoder.
  int64_t encoder_special_tokens() const {
    return encoder == EncoderKind::kDino ? 1 + encoder_registers : 0;
  }
};

struct WantedTensor {
  std::string name;  // without the prefix
  Shape shape;
  bool used = true;  // false: belongs to the model but plays no part in inference
};

// Every tensor of an aggregator of these extents, in the order of the specification's
// synthetic_shapes().
std::vector<WantedTensor> WantedTensors(const ModelConfig& config);

// "VGGT-1B" if the extents are its, otherwise "VGGT architecture".
std::string ModelFamily(const ModelConfig& config);
// "24 global blocks, 1024 channels, 16 heads of 64, DINOv2 encoder of 24 blocks".
std::string ModelText(const ModelConfig& config);

// What a checkpoint holds, measured against the model that its names announce.
struct CheckpointReport {
  ModelConfig config;
  std::vector<std::string> problems;  // a line for each missing or mis-shaped tensor
  size_t found = 0;                   // wanted tensors that are there as they should be
  size_t wanted = 0;
  size_t ignored = 0;                       // others, such as the prediction heads
  std::vector<std::string> ignored_groups;  // "camera_head (69)"
  std::vector<std::string> dtypes;          // of the wanted tensors: "F32", or several
};

// `key` chooses among several models (model/model_choice.h). Throws ModelChoiceError if that is not
// clear, and Error if no aggregator can be recognised at all; it then says what the file looks
// like.
CheckpointReport InspectCheckpoint(const Checkpoint& checkpoint, const std::string& key = "");

// The config of a checkpoint that is whole; otherwise one Error that names what is missing or
// mis-shaped: the first twenty and their count.
ModelConfig ReadModelConfig(const Checkpoint& checkpoint, const std::string& key = "");

}  // namespace vggt
