// SPDX-License-Identifier: Apache-2.0
#include "model/model_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/families.h"

namespace vggt {
namespace {

constexpr std::string_view kAggregator = ".aggregator";
constexpr const char* kNoPrefix = ".";
constexpr size_t kMostModels = 1000;
constexpr size_t kMostListed = 20;

std::string WithoutEnd(const std::string& text, std::string_view end) {
  return text.ends_with(end) ? text.substr(0, text.size() - end.size()) : text;
}

// Those that `key` may mean. An exact name counts more than the names of what lies below it.
std::vector<std::string> Meant(const std::vector<std::string>& prefixes, const std::string& key) {
  const std::string name = key == kNoPrefix ? "" : WithoutEnd(key, ".");
  std::vector<std::string> below;
  for (const std::string& prefix : prefixes) {
    if (WithoutEnd(prefix, ".") == name) return {prefix};
    if (prefix.starts_with(name + ".")) below.push_back(prefix);
  }
  const std::string whole = name + std::string(kAggregator) + ".";
  return std::ranges::count(below, whole) > 0 ? std::vector{whole} : below;
}

std::string Hint(const std::vector<std::string>& keys) {
  if (keys.empty()) return "";
  return keys.size() > 1 ? "Choose one with `weights_key`: " + ListKeys(keys)
                         : "It holds one model: leave `weights_key` out, or give " + ListKeys(keys);
}

}  // namespace

ModelChoiceError::ModelChoiceError(const std::string& what, const std::string& where,
                                   std::vector<std::string> keys)
    : Error(what, where, Hint(keys)), keys_(std::move(keys)) {}

std::vector<std::string> ModelPrefixes(const Checkpoint& checkpoint) {
  std::vector<std::string> prefixes;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    for (const ModelFamily& family : ModelFamilies()) {
      if (IsAnchor(name, family.anchor)) prefixes.push_back(WithoutEnd(name, family.anchor));
    }
  }
  // A model may have the anchors of several families.
  std::ranges::sort(prefixes);
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  if (prefixes.size() > kMostModels) {
    throw Error(fmt::format("holds {} models, at most {} are read", prefixes.size(), kMostModels),
                checkpoint.name(), "Save the one you want in a file of its own.");
  }
  return prefixes;
}

std::string MeantPrefix(const Checkpoint& checkpoint, const std::string& key) {
  std::vector<std::string> prefixes = ModelPrefixes(checkpoint);
  if (prefixes.empty()) throw UnknownModel(checkpoint);
  if (key.empty()) {
    const auto alone = [&](const std::string& prefix) {
      return FamilyOf(checkpoint, prefix, "").alone;
    };
    if (!std::ranges::all_of(prefixes, alone)) std::erase_if(prefixes, alone);
  }
  return ChoosePrefix(prefixes, key, checkpoint.name());
}

std::vector<std::string> ModelKeys(const std::vector<std::string>& prefixes) {
  std::vector<std::string> keys;
  for (const std::string& prefix : prefixes) {
    const std::string whole = WithoutEnd(prefix, ".");
    const std::string brief = WithoutEnd(whole, kAggregator);
    if (prefix.empty()) {
      keys.emplace_back(kNoPrefix);
    } else {
      keys.push_back(Meant(prefixes, brief) == std::vector{prefix} ? brief : whole);
    }
  }
  return keys;
}

std::string ChoosePrefix(const std::vector<std::string>& prefixes, const std::string& key,
                         const std::string& where) {
  if (key.empty() && prefixes.size() == 1) return prefixes[0];
  const std::vector<std::string> meant = key.empty() ? prefixes : Meant(prefixes, key);
  if (meant.size() == 1) return meant[0];
  const std::string what = key.empty() ? "holds several models"
                           : meant.empty()
                               ? fmt::format("holds no model '{}'", Printable(key))
                               : fmt::format("holds several models in '{}'", Printable(key));
  throw ModelChoiceError(what, where, ModelKeys(prefixes));
}

std::string ListKeys(const std::vector<std::string>& keys) {
  std::string text;
  for (size_t i = 0; i < std::min(keys.size(), kMostListed); ++i) {
    text += (i == 0 ? "" : ", ") + Printable(keys[i]);
  }
  if (keys.size() > kMostListed) text += fmt::format(" and {} more", keys.size() - kMostListed);
  return text;
}

}  // namespace vggt
