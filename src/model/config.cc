// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "model/model_choice.h"

namespace vggt {
namespace {

// Beyond any published model; keeps the arithmetic on hostile shapes in range.
constexpr int64_t kMostChannels = 1 << 16;
// Problems that one message names.
constexpr size_t kMostNamed = 20;

void AddBlock(const ModelConfig& config, const std::string& prefix, bool qk_norm,
              std::vector<WantedTensor>& out) {
  const int64_t c = config.dim, m = config.hidden;
  const auto add = [&](const char* name, Shape shape) {
    out.push_back({prefix + name, std::move(shape)});
  };
  add("norm1.weight", {c});
  add("norm1.bias", {c});
  add("attn.qkv.weight", {3 * c, c});
  add("attn.qkv.bias", {3 * c});
  add("attn.proj.weight", {c, c});
  add("attn.proj.bias", {c});
  add("ls1.gamma", {c});
  add("norm2.weight", {c});
  add("norm2.bias", {c});
  add("mlp.fc1.weight", {m, c});
  add("mlp.fc1.bias", {m});
  add("mlp.fc2.weight", {c, m});
  add("mlp.fc2.bias", {c});
  add("ls2.gamma", {c});
  if (!qk_norm) return;
  add("attn.q_norm.weight", {config.head_dim});
  add("attn.q_norm.bias", {config.head_dim});
  add("attn.k_norm.weight", {config.head_dim});
  add("attn.k_norm.bias", {config.head_dim});
}

// 1 + the highest N in names "<prefix>N.…"; 0 if there is none.
int64_t CountBlocks(const Checkpoint& checkpoint, const std::string& prefix) {
  int64_t count = 0;
  const auto& tensors = checkpoint.tensors();
  for (auto it = tensors.lower_bound(prefix); it != tensors.end() && it->first.starts_with(prefix);
       ++it) {
    int64_t index = 0;
    const char* begin = it->first.data() + prefix.size();
    const auto [end, error] = std::from_chars(begin, it->first.data() + it->first.size(), index);
    if (error == std::errc() && *end == '.' && index >= 0 && index < 1000) {
      count = std::max(count, index + 1);
    }
  }
  return count;
}

std::string LooksLike(const Checkpoint& checkpoint) {
  static constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"inter_frame_blocks.0.", "VGGT-Omega, which is not read yet"},
      {"lora_A", "adapter weights (LoRA): merge them into the model first"},
      {"dec_blocks2.0.", "DUSt3R or MASt3R, whose attention runs between pairs of pictures"},
      {"decoder.dec_blocks.0.", "Fast3R, which is not read yet"},
      {"info_sharing.self_attention_blocks.0.", "MapAnything, which is not read yet"},
      {"decoder.0.attn.qkv.weight", "Pi3, which is not read yet"},
      {"backbone.pretrained.", "Depth-Anything, which is not read yet"},
      {"blocks.0.attn.qkv.weight", "a single-picture vision transformer such as DINOv2"},
  };
  for (const auto& [part, model] : kOthers) {
    for (const auto& [name, tensor] : checkpoint.tensors()) {
      if (name.find(part) != std::string::npos) return fmt::format("It looks like {}.", model);
    }
  }
  std::string names;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (std::count(names.begin(), names.end(), ',') == 2) break;
    names += (names.empty() ? "" : ", ") + Printable(name, 60);
  }
  if (names.empty()) return "It holds no tensors at all.";
  const size_t count = checkpoint.tensors().size();
  return fmt::format("It holds {} tensor{}, such as {}.", count, count == 1 ? "" : "s", names);
}

// The extent `dim` of the named tensor; 0 if it is missing or has other dimensions.
int64_t Extent(const Checkpoint& checkpoint, const std::string& name, size_t rank, size_t dim) {
  const TensorView* tensor = checkpoint.Find(name);
  if (tensor == nullptr || tensor->shape.size() != rank) return 0;
  return tensor->shape[dim] <= kMostChannels ? tensor->shape[dim] : 0;
}

ModelConfig GuessConfig(const Checkpoint& checkpoint, const std::string& key) {
  const std::vector<std::string> prefixes = ModelPrefixes(checkpoint);
  if (prefixes.empty()) {
    throw Error("is no VGGT checkpoint: no tensor is named …" + std::string(kModelAnchor),
                checkpoint.name(), LooksLike(checkpoint));
  }
  ModelConfig config;
  config.prefix = ChoosePrefix(prefixes, key, checkpoint.name());
  const std::string& p = config.prefix;
  const auto demand = [&](int64_t extent, const std::string& name, const char* shape) {
    if (extent > 0) return extent;
    const TensorView* tensor = checkpoint.Find(name);
    throw Error(tensor == nullptr ? fmt::format("tensor {} is missing", Printable(name))
                                  : fmt::format("tensor {} has shape {} where {} is expected",
                                                Printable(name), ShapeText(tensor->shape), shape),
                checkpoint.name(), "The model's extents are read off it.");
  };
  const std::string global = p + "global_blocks.0.";
  config.depth = CountBlocks(checkpoint, p + "global_blocks.");
  config.dim = demand(Extent(checkpoint, global + "attn.qkv.weight", 2, 1),
                      global + "attn.qkv.weight", "[3·channels, channels]");
  config.head_dim = demand(Extent(checkpoint, global + "attn.q_norm.weight", 1, 0),
                           global + "attn.q_norm.weight", "[channels of a head]");
  config.hidden = demand(Extent(checkpoint, global + "mlp.fc1.weight", 2, 0),
                         global + "mlp.fc1.weight", "[hidden channels, channels]");
  config.registers = demand(Extent(checkpoint, p + "register_token", 4, 2), p + "register_token",
                            "[1, 2, registers, channels]");
  if (config.head_dim % 4 != 0 || config.dim % config.head_dim != 0) {
    throw Error(fmt::format("{} channels cannot be heads of {}, or {} is no multiple of 4",
                            config.dim, config.head_dim, config.head_dim),
                checkpoint.name());
  }
  const std::string encoder = p + "patch_embed.";
  if (checkpoint.Find(encoder + "patch_embed.proj.weight") == nullptr &&
      checkpoint.Find(encoder + "proj.weight") != nullptr) {
    config.encoder = EncoderKind::kConvolution;
    return config;
  }
  config.encoder_depth = CountBlocks(checkpoint, encoder + "blocks.");
  config.encoder_registers = demand(Extent(checkpoint, encoder + "register_tokens", 3, 1),
                                    encoder + "register_tokens", "[1, registers, channels]");
  const int64_t positions = demand(Extent(checkpoint, encoder + "pos_embed", 3, 1),
                                   encoder + "pos_embed", "[1, 1 + grid², channels]");
  config.position_grid = std::llround(std::sqrt(static_cast<double>(positions - 1)));
  if (config.dim % kEncoderHeadDim != 0) {
    throw Error(fmt::format("{} channels cannot be a DINOv2 encoder's heads of {}", config.dim,
                            kEncoderHeadDim),
                checkpoint.name());
  }
  return config;
}

// Names by what stands before their first dot, with counts: "camera_head (69)".
std::vector<std::string> Groups(const std::vector<std::string>& names) {
  std::map<std::string, size_t> counts;
  for (const std::string& name : names) ++counts[name.substr(0, name.find('.'))];
  std::vector<std::string> groups;
  for (const auto& [group, count] : counts) {
    groups.push_back(fmt::format("{} ({})", Printable(group), count));
  }
  return groups;
}

}  // namespace

std::vector<WantedTensor> WantedTensors(const ModelConfig& config) {
  const int64_t c = config.dim;
  std::vector<WantedTensor> out;
  out.push_back({"camera_token", {1, 2, 1, c}});
  out.push_back({"register_token", {1, 2, config.registers, c}});
  std::string p = "patch_embed.";
  if (config.encoder == EncoderKind::kDino) {
    const int64_t grid = config.position_grid;
    out.push_back({p + "cls_token", {1, 1, c}});
    out.push_back({p + "pos_embed", {1, grid * grid + 1, c}});
    out.push_back({p + "register_tokens", {1, config.encoder_registers, c}});
    out.push_back({p + "mask_token", {1, c}, false});
    out.push_back({p + "norm.weight", {c}});
    out.push_back({p + "norm.bias", {c}});
    for (int64_t i = 0; i < config.encoder_depth; ++i) {
      AddBlock(config, fmt::format("{}blocks.{}.", p, i), false, out);
    }
    p += "patch_embed.";
  }
  out.push_back({p + "proj.weight", {c, 3, kPatchSize, kPatchSize}});
  out.push_back({p + "proj.bias", {c}});
  for (int64_t i = 0; i < config.depth; ++i) {
    AddBlock(config, fmt::format("frame_blocks.{}.", i), true, out);
    AddBlock(config, fmt::format("global_blocks.{}.", i), true, out);
  }
  return out;
}

std::string ModelFamily(const ModelConfig& config) {
  const bool is_1b = config.dim == 1024 && config.depth == 24 && config.head_dim == 64 &&
                     config.encoder_depth == 24 && config.registers == 4;
  return is_1b ? "VGGT-1B" : "VGGT architecture";
}

std::string ModelText(const ModelConfig& config) {
  return fmt::format("{} global and {} frame blocks, {} channels, {} heads of {}, {}", config.depth,
                     config.depth, config.dim, config.heads(), config.head_dim,
                     config.encoder == EncoderKind::kDino
                         ? fmt::format("DINOv2 encoder of {} blocks", config.encoder_depth)
                         : "patch convolution as encoder");
}

CheckpointReport InspectCheckpoint(const Checkpoint& checkpoint, const std::string& key) {
  CheckpointReport report;
  report.config = GuessConfig(checkpoint, key);
  const std::string& prefix = report.config.prefix;
  std::set<std::string> known, dtypes;
  for (const WantedTensor& wanted : WantedTensors(report.config)) {
    const std::string name = prefix + wanted.name;
    known.insert(name);
    if (!wanted.used) continue;
    ++report.wanted;
    const TensorView* tensor = checkpoint.Find(name);
    if (tensor == nullptr) {
      report.problems.push_back(Printable(name) + " is missing");
    } else if (tensor->shape != wanted.shape) {
      report.problems.push_back(fmt::format("{} has shape {}, expected {}", Printable(name),
                                            ShapeText(tensor->shape), ShapeText(wanted.shape)));
    } else if (tensor->dtype == DType::kOther || tensor->dtype == DType::kU8) {
      report.problems.push_back(Printable(name) + " has a number type other than F32, F16, BF16");
    } else {
      ++report.found;
      dtypes.insert(DTypeName(tensor->dtype));
    }
  }
  std::vector<std::string> ignored;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (!known.contains(name)) ignored.push_back(name);
  }
  report.ignored = ignored.size();
  report.ignored_groups = Groups(ignored);
  report.dtypes.assign(dtypes.begin(), dtypes.end());
  return report;
}

ModelConfig ReadModelConfig(const Checkpoint& checkpoint, const std::string& key) {
  const CheckpointReport report = InspectCheckpoint(checkpoint, key);
  if (!report.problems.empty()) {
    std::string all = fmt::format("{} of {} tensors are missing or wrong:", report.problems.size(),
                                  report.wanted);
    const size_t named = std::min(report.problems.size(), kMostNamed);
    for (size_t i = 0; i < named; ++i) all += "\n  " + report.problems[i];
    if (report.problems.size() > named) {
      all += fmt::format("\n  and {} more: 'vggt-attn inspect' names them all",
                         report.problems.size() - named);
    }
    throw Error(all, checkpoint.name());
  }
  return report.config;
}

}  // namespace vggt
