// SPDX-License-Identifier: Apache-2.0
#include "model/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/families/da3.h"
#include "model/families/omega.h"
#include "model/families/pi3.h"
#include "model/families/vggt.h"

namespace vggt {
namespace {

// A plan from extents, both a family's own.
template <auto kPlan, auto kReadExtents>
ModelPlan ReadAs(const Checkpoint& checkpoint, const std::string& prefix) {
  return kPlan(kReadExtents(checkpoint, prefix), prefix);
}

constexpr ModelFamily kFamilies[] = {
    {"VGGT", "vggt", kVggtAnchor, ReadAs<VggtPlan, ReadVggtExtents>, false, "global_blocks."},
    {"StreamVGGT", "streamvggt", kVggtAnchor, ReadAs<StreamVggtPlan, ReadVggtExtents>},
    {"Pi3", "pi3", kPi3Anchor, ReadAs<Pi3Plan, ReadPi3Extents>, false, "decoder."},
    {"Depth Anything 3", "da3", kDa3Anchor, ReadAs<Da3Plan, ReadDa3Extents>, false,
     "backbone.pretrained."},
    {"Depth Anything 3 of one picture", "da3-mono", kDa3MonoAnchor, ReadAs<Da3Plan, ReadDa3Extents>,
     true},
    {"VGGT-Omega", "omega", kOmegaAnchor, ReadAs<OmegaPlan, ReadOmegaExtents>, false,
     "inter_frame_blocks."},
};

// Models that are not read, by a part of one of their names.
constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
    {"lora_A", "adapter weights (LoRA): merge them into the model first"},
    {"dec_blocks2.0.", "DUSt3R or MASt3R, whose attention runs between pairs of pictures"},
    {"decoder.dec_blocks.0.", "Fast3R, which is not read yet"},
    {"info_sharing.self_attention_blocks.0.", "MapAnything, which is not read yet"},
};
constexpr std::pair<std::string_view, std::string_view> kEncoder = {
    "blocks.0.attn.qkv.weight", "a single-picture vision transformer such as DINOv2"};

size_t CountNames(const Checkpoint& checkpoint, std::string_view part) {
  return std::ranges::count_if(checkpoint.tensors(), [&](const auto& tensor) {
    return tensor.first.find(part) != std::string::npos;
  });
}

// The family most of whose names are there, though its anchor is not; "" if none is.
std::string Nearest(const Checkpoint& checkpoint) {
  size_t most = 0;
  const ModelFamily* nearest = nullptr;
  for (const ModelFamily& family : kFamilies) {
    const size_t names = family.sign.empty() ? 0 : CountNames(checkpoint, family.sign);
    if (names > most) most = names, nearest = &family;
  }
  if (nearest == nullptr) return "";
  return fmt::format("{} is the nearest: {} tensor{} named …{}…, but none …{}.", nearest->name,
                     most, most == 1 ? " is" : "s are", nearest->sign, nearest->anchor);
}

std::string LooksLike(const Checkpoint& checkpoint) {
  const auto looks_like = [](std::string_view model) {
    return fmt::format("It looks like {}.", model);
  };
  for (const auto& [part, model] : kOthers) {
    if (CountNames(checkpoint, part) > 0) return looks_like(model);
  }
  if (const std::string nearest = Nearest(checkpoint); !nearest.empty()) return nearest;
  if (CountNames(checkpoint, kEncoder.first) > 0) return looks_like(kEncoder.second);
  std::string names;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (std::count(names.begin(), names.end(), ',') == 2) break;
    names += (names.empty() ? "" : ", ") + Printable(name, 60);
  }
  if (names.empty()) return "It holds no tensors at all.";
  const size_t count = checkpoint.tensors().size();
  return fmt::format("It holds {} tensor{}, such as {}.", count, count == 1 ? "" : "s", names);
}

bool HasAnchor(const Checkpoint& checkpoint, const std::string& prefix, const ModelFamily& family) {
  return checkpoint.Find(prefix + std::string(family.anchor)) != nullptr;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

}  // namespace

std::span<const ModelFamily> ModelFamilies() { return kFamilies; }

std::vector<std::string> FamilyWords() {
  std::vector<std::string> words;
  for (const ModelFamily& family : kFamilies) words.emplace_back(family.word);
  return words;
}

bool IsAnchor(std::string_view name, std::string_view anchor) {
  if (!name.ends_with(anchor)) return false;
  return name.size() == anchor.size() || name[name.size() - anchor.size() - 1] == '.';
}

std::vector<std::string> FamiliesOf(const Checkpoint& checkpoint, const std::string& prefix) {
  std::vector<std::string> words;
  std::string_view anchor;
  for (const ModelFamily& family : kFamilies) {
    if (!HasAnchor(checkpoint, prefix, family)) continue;
    if (anchor.empty()) anchor = family.anchor;
    if (family.anchor == anchor) words.emplace_back(family.word);
  }
  return words;
}

const ModelFamily& FamilyOf(const Checkpoint& checkpoint, const std::string& prefix,
                            const std::string& word) {
  for (const ModelFamily& family : kFamilies) {
    if (!word.empty() && word != family.word) continue;
    if (HasAnchor(checkpoint, prefix, family)) return family;
  }
  throw Error(fmt::format("is no model of the family '{}'", Printable(word)), checkpoint.name(),
              "Its tensors are those of: " + Joined(FamiliesOf(checkpoint, prefix)) + ".");
}

Error UnknownModel(const Checkpoint& checkpoint) {
  std::string names;
  for (const ModelFamily& family : kFamilies) {
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  }
  return Error(fmt::format("holds no model of a family that is read ({})", names),
               checkpoint.name(), LooksLike(checkpoint));
}

}  // namespace vggt
