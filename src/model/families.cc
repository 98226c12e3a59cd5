// SPDX-License-Identifier: Apache-2.0
#include "model/families.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/families/vggt.h"

namespace vggt {
namespace {

ModelPlan ReadVggt(const Checkpoint& checkpoint, const std::string& prefix) {
  return VggtPlan(ReadVggtExtents(checkpoint, prefix), prefix);
}

constexpr ModelFamily kFamilies[] = {{"VGGT", kVggtAnchor, ReadVggt}};

// Models that are not read, by a part of one of their names.
constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
    {"inter_frame_blocks.0.", "VGGT-Omega, which is not read yet"},
    {"lora_A", "adapter weights (LoRA): merge them into the model first"},
    {"dec_blocks2.0.", "DUSt3R or MASt3R, whose attention runs between pairs of pictures"},
    {"decoder.dec_blocks.0.", "Fast3R, which is not read yet"},
    {"info_sharing.self_attention_blocks.0.", "MapAnything, which is not read yet"},
    {"decoder.0.attn.qkv.weight", "Pi3, which is not read yet"},
    {"backbone.pretrained.", "Depth-Anything, which is not read yet"},
    {"blocks.0.attn.qkv.weight", "a single-picture vision transformer such as DINOv2"},
};

std::string LooksLike(const Checkpoint& checkpoint) {
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

}  // namespace

std::span<const ModelFamily> ModelFamilies() { return kFamilies; }

Error UnknownModel(const Checkpoint& checkpoint) {
  std::string names, anchors;
  for (const ModelFamily& family : kFamilies) {
    names += (names.empty() ? "" : " or ") + std::string(family.name);
    anchors += (anchors.empty() ? "…" : " or …") + std::string(family.anchor);
  }
  return Error(fmt::format("is no {} checkpoint: no tensor is named {}", names, anchors),
               checkpoint.name(), LooksLike(checkpoint));
}

}  // namespace vggt
