// SPDX-License-Identifier: Apache-2.0
#include "model/heads_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "model/extents.h"
#include "model/tensor_list.h"

namespace vggt {
namespace {

constexpr float kHeadEps = 1e-5F;  // PyTorch's default

void Add(const ConvSpec& conv, TensorList& list) {
  list.Add(conv.name + ".weight", {conv.out, conv.in, conv.kernel, conv.kernel});
  if (conv.has_bias) list.Add(conv.name + ".bias", {conv.out});
}

void Add(const EnlargingSpec& conv, TensorList& list) {
  list.Add(conv.name + ".weight", {conv.in, conv.out, conv.scale, conv.scale});
  list.Add(conv.name + ".bias", {conv.out});
}

void Add(const ResidualUnitSpec& unit, TensorList& list) {
  Add(unit.conv1, list);
  Add(unit.conv2, list);
}

BlockSpec TrunkBlock(const CameraHeadExtents& e, int64_t index, const std::string& prefix) {
  const int64_t c = e.width;
  BlockSpec block;
  block.id = {BlockKind::kGlobal, index};
  block.heads = e.heads;
  block.head_dim = c / e.heads;
  block.norm1 = {prefix + "norm1", c, kHeadEps};
  block.qkv = {prefix + "attn.qkv", c, 3 * c, ""};
  block.rest = {{prefix + "attn.proj", c, c, prefix + "ls1.gamma"},
                {prefix + "norm2", c, kHeadEps},
                {prefix + "mlp.fc1", c, e.hidden, ""},
                {prefix + "mlp.fc2", e.hidden, c, prefix + "ls2.gamma"}};
  return block;
}

ResidualUnitSpec Unit(const std::string& name, int64_t features) {
  return {{name + ".conv1", features, features, 3}, {name + ".conv2", features, features, 3}};
}

// Whether any tensor's name begins so.
bool HasAny(const Checkpoint& checkpoint, const std::string& prefix) {
  const auto it = checkpoint.tensors().lower_bound(prefix);
  return it != checkpoint.tensors().end() && it->first.starts_with(prefix);
}

CameraHeadExtents ReadCamera(const Checkpoint& checkpoint, const std::string& p, int64_t width,
                             int64_t heads) {
  if (heads < 1 || width % heads != 0) {
    throw Error(fmt::format("the camera head's {} channels cannot be {} heads", width, heads),
                checkpoint.name());
  }
  return {.width = width,
          .blocks = std::max<int64_t>(CountBlocks(checkpoint, p + "trunk."), 1),
          .hidden = Extent(checkpoint, p + "trunk.0.mlp.fc1.weight", 2, 0),
          .pose_hidden = Extent(checkpoint, p + "pose_branch.fc1.weight", 2, 0),
          .heads = heads};
}

DptExtents ReadDpt(const Checkpoint& checkpoint, const std::string& p, int64_t width,
                   int64_t outputs) {
  DptExtents e{.width = width,
               .features = Extent(checkpoint, p + "scratch.layer1_rn.weight", 4, 0),
               .half = Extent(checkpoint, p + "scratch.output_conv1.weight", 4, 0),
               .last = Extent(checkpoint, p + "scratch.output_conv2.0.weight", 4, 0),
               .outputs = outputs};
  for (size_t k = 0; k < e.channels.size(); ++k) {
    e.channels[k] = Extent(checkpoint, fmt::format("{}projects.{}.weight", p, k), 4, 0);
  }
  return e;
}

}  // namespace

CameraHeadSpec VggtCameraHead(const CameraHeadExtents& e, const std::string& name) {
  const std::string p = name + '.';
  CameraHeadSpec head;
  head.width = e.width;
  head.token_norm = {p + "token_norm", e.width, kHeadEps};
  head.trunk_norm = {p + "trunk_norm", e.width, kHeadEps};
  head.empty_pose = p + "empty_pose_tokens";
  head.embed_pose = {p + "embed_pose", kPoseNumbers, e.width, ""};
  head.modulation = {p + "poseLN_modulation.1", e.width, 3 * e.width, ""};
  for (int64_t i = 0; i < e.blocks; ++i) {
    head.trunk.push_back(TrunkBlock(e, i, fmt::format("{}trunk.{}.", p, i)));
  }
  head.fc1 = {p + "pose_branch.fc1", e.width, e.pose_hidden, ""};
  head.fc2 = {p + "pose_branch.fc2", e.pose_hidden, kPoseNumbers, ""};
  return head;
}

DptSpec VggtDptHead(const DptExtents& e, const std::string& name) {
  const std::string p = name + '.', scratch = p + "scratch.";
  DptSpec head;
  head.width = e.width;
  head.features = e.features;
  head.norm = {p + "norm", e.width, kHeadEps};
  for (size_t k = 0; k < 4; ++k) {
    const int64_t n = e.channels[k];
    const std::string refine = fmt::format("{}refinenet{}.", scratch, k + 1);
    DptSpec::Level& level = head.levels[k];
    level.project = {fmt::format("{}projects.{}", p, k), e.width, n};
    const std::string resize = fmt::format("{}resize_layers.{}", p, k);
    if (k < 2) level.enlarge = {resize, n, n, k == 0 ? 4 : 2};
    if (k == 3) level.shrink = {resize, n, n, 3, 2};
    level.side = {fmt::format("{}layer{}_rn", scratch, k + 1), n, e.features, 3, 1, false};
    if (k < 3) level.side_unit = Unit(refine + "resConfUnit1", e.features);
    level.unit = Unit(refine + "resConfUnit2", e.features);
    level.out = {refine + "out_conv", e.features, e.features};
  }
  head.output1 = {scratch + "output_conv1", e.features, e.half, 3};
  head.output2 = {scratch + "output_conv2.0", e.half, e.last, 3};
  head.output3 = {scratch + "output_conv2.2", e.last, e.outputs};
  head.outputs = e.outputs;
  return head;
}

std::array<int64_t, 4> DefaultTapLayers(int64_t depth) {
  if (depth == 24) return {4, 11, 17, 23};
  std::array<int64_t, 4> layers{};
  for (int64_t k = 1; k <= 4; ++k)
    layers[k - 1] = std::max<int64_t>((2 * k * depth + 4) / 8, 1) - 1;
  return layers;
}

HeadsPlan ReadHeads(const Checkpoint& checkpoint, const ModelPlan& model,
                    const HeadsOptions& options) {
  constexpr std::string_view kAggregator = "aggregator.";
  HeadsPlan heads;
  heads.prefix = model.prefix;
  if (heads.prefix.ends_with(kAggregator)) {
    heads.prefix.resize(heads.prefix.size() - kAggregator.size());
  }
  const int64_t depth = model.count(BlockKind::kGlobal), width = 2 * model.dim();
  heads.layers = options.layers.value_or(DefaultTapLayers(depth));
  for (const int64_t layer : heads.layers) {
    if (layer < 0 || layer >= depth) {
      throw Error(
          fmt::format("there is no layer {} in this model, which has 1 to {}", layer + 1, depth),
          checkpoint.name());
    }
  }
  const std::string camera = heads.prefix + kCameraHeadName + '.';
  const std::string depth_head = heads.prefix + kDepthHeadName + '.';
  const std::string points = heads.prefix + kPointHeadName + '.';
  if (HasAny(checkpoint, camera)) {
    heads.camera = VggtCameraHead(ReadCamera(checkpoint, camera, width, options.camera_heads),
                                  kCameraHeadName);
  }
  if (HasAny(checkpoint, depth_head)) {
    heads.depth = VggtDptHead(ReadDpt(checkpoint, depth_head, width, 2), kDepthHeadName);
  }
  if (HasAny(checkpoint, points)) {
    heads.points = VggtDptHead(ReadDpt(checkpoint, points, width, 4), kPointHeadName);
  }
  return heads;
}

std::vector<WantedTensor> HeadTensors(const CameraHeadSpec& head) {
  TensorList list;
  list.Add(head.token_norm);
  list.Add(head.trunk_norm);
  list.Add(head.empty_pose, {1, 1, kPoseNumbers});
  list.Add(head.embed_pose);
  list.Add(head.modulation);
  for (const BlockSpec& block : head.trunk) list.Add(block);
  list.Add(head.fc1);
  list.Add(head.fc2);
  return list.Take();
}

std::vector<WantedTensor> HeadTensors(const DptSpec& head) {
  TensorList list;
  list.Add(head.norm);
  for (const DptSpec::Level& level : head.levels) {
    Add(level.project, list);
    if (level.enlarge) Add(*level.enlarge, list);
    if (level.shrink) Add(*level.shrink, list);
    Add(level.side, list);
    if (level.side_unit) Add(*level.side_unit, list);
    Add(level.unit, list);
    Add(level.out, list);
  }
  Add(head.output1, list);
  Add(head.output2, list);
  Add(head.output3, list);
  return list.Take();
}

std::vector<WantedTensor> HeadTensors(const HeadsPlan& heads) {
  TensorList list;
  if (heads.camera) list.Add(HeadTensors(*heads.camera));
  if (heads.depth) list.Add(HeadTensors(*heads.depth));
  if (heads.points) list.Add(HeadTensors(*heads.points));
  return list.Take();
}

std::vector<int64_t> TapLayers(const HeadsPlan& heads, int64_t depth) {
  std::vector<int64_t> layers;
  if (heads.camera) layers.push_back(depth - 1);
  if (heads.depth || heads.points) {
    layers.insert(layers.end(), heads.layers.begin(), heads.layers.end());
  }
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

}  // namespace vggt
