// SPDX-License-Identifier: Apache-2.0
// The prediction heads of a VGGT as data: what a checkpoint has of them, and what they read of the
// blocks. A checkpoint may have any of them, or none.
//
// A tap is what the heads read of a layer: for each token the output of its frame block, then that
// of its global block, both as they are handed on, 2 · dim channels in all.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

// A convolution of maps, with zeros beyond the edges. Its tensors are NAME.weight
// [out, in, kernel, kernel] and NAME.bias [out]. The kernel is 1 or 3.
struct ConvSpec {
  std::string name;
  int64_t in = 0, out = 0, kernel = 1;
  int64_t stride = 1;
  bool has_bias = true;
};

// A transposed convolution whose stride is its kernel: each pixel becomes scale × scale pixels of
// its own. Its tensors are NAME.weight [in, out, scale, scale] and NAME.bias [out].
struct EnlargingSpec {
  std::string name;
  int64_t in = 0, out = 0, scale = 1;
};

// From the last layer's camera tokens [frames, width] to one pose of 9 numbers for each frame
// (geometry/pose_encoding.h). The frames are a sequence of `trunk`'s blocks, which see no order.
// The trunk runs `iterations` times, each time on the same tokens, modulated by the pose so far.
struct CameraHeadSpec {
  int64_t width = 0;  // of a tap
  NormSpec token_norm, trunk_norm;
  std::string empty_pose;  // the tensor [1, 1, 9]: the pose before the first iteration
  LinearSpec embed_pose;   // 9 → width
  LinearSpec modulation;   // of SiLU of that: shift, scale and gate, 3 · width
  std::vector<BlockSpec> trunk;
  LinearSpec fc1, fc2;  // to what is added to the pose, with GELU between
  int64_t iterations = 4;
};
inline constexpr int64_t kPoseNumbers = 9;
// Of the norm that is modulated, which has no tensors.
inline constexpr float kModulatedNormEps = 1e-6F;

// A residual unit: x ← relu(x), then x + conv2(relu(conv1(x))).
struct ResidualUnitSpec {
  ConvSpec conv1, conv2;
};

// A dense prediction head (Ranftl et al., DPT, arXiv:2103.13413): from four taps' patch tokens of
// one frame to `outputs` numbers for each pixel.
struct DptSpec {
  // What becomes of one tap: projected, resized by 4, 2, 1 or 1/2, made `features` channels wide;
  // then joined with what comes from the level after it (the last level is where it begins) and
  // enlarged to the size of the level before it.
  struct Level {
    ConvSpec project;
    std::optional<EnlargingSpec> enlarge;
    std::optional<ConvSpec> shrink;
    ConvSpec side;
    std::optional<ResidualUnitSpec> side_unit;  // of the level's own map; the last level has none
    ResidualUnitSpec unit;                      // of the joined map
    ConvSpec out;
  };

  int64_t width = 0, features = 0;  // channels of a tap, and of the maps that are joined
  NormSpec norm;                    // of the tokens of all four taps
  std::array<Level, 4> levels;
  ConvSpec output1;           // of the map at 8 times the patches' rows and columns
  ConvSpec output2, output3;  // of the map of all pixels, with ReLU between
  int64_t outputs = 0;
};

struct HeadsPlan {
  std::string prefix;  // before every name of a tensor
  std::optional<CameraHeadSpec> camera;
  std::optional<DptSpec> depth, points;
  // Whose taps depth and points are made of, from 0. The camera's is the model's last.
  std::array<int64_t, 4> layers{};
};

// Channels of heads; the defaults are VGGT-1B's.
struct CameraHeadExtents {
  int64_t width = 2048, blocks = 4, hidden = 8192, pose_hidden = 1024, heads = 16;
};
struct DptExtents {
  int64_t width = 2048;
  std::array<int64_t, 4> channels{256, 512, 1024, 1024};
  int64_t features = 256, half = 128, last = 32, outputs = 2;
};
CameraHeadSpec VggtCameraHead(const CameraHeadExtents& extents, const std::string& name);
DptSpec VggtDptHead(const DptExtents& extents, const std::string& name);

// What no tensor tells.
struct HeadsOptions {
  // Whose taps depth and points are made of, from 0. None: DefaultTapLayers().
  std::optional<std::array<int64_t, 4>> layers = {};
  int64_t camera_heads = 16;  // of attention in the camera head's trunk; VGGT's, at every width
};

// 4, 11, 17 and 23 of 24 layers, as VGGT-1B has them; of others the last of each quarter, rounded.
std::array<int64_t, 4> DefaultTapLayers(int64_t depth);

// The heads of which a checkpoint has any tensor at all. Whether all are there, its report tells
// (model/checkpoint_report.h).
// Throws Error if there is no such layer, or if the camera head's channels cannot be that many
// heads.
HeadsPlan ReadHeads(const Checkpoint& checkpoint, const ModelPlan& model,
                    const HeadsOptions& options = {});

// The names by which heads are known: "camera_head", "depth_head", "point_head".
inline constexpr const char* kCameraHeadName = "camera_head";
inline constexpr const char* kDepthHeadName = "depth_head";
inline constexpr const char* kPointHeadName = "point_head";

// Every tensor of a head, without the plan's prefix.
std::vector<WantedTensor> HeadTensors(const CameraHeadSpec& head);
std::vector<WantedTensor> HeadTensors(const DptSpec& head);
std::vector<WantedTensor> HeadTensors(const HeadsPlan& heads);  // of all that there are

// The layers whose taps are read, ascending, each once: of depth and points, and the last.
std::vector<int64_t> TapLayers(const HeadsPlan& heads, int64_t depth);

}  // namespace vggt
