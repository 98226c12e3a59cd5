// SPDX-License-Identifier: Apache-2.0
// The values of flags: what they must be, with problems worded for their users, and what they mean.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/block_kind.h"

namespace vggt {

// Says what is wrong with a value: "'abc' is no whole number from 1 to 9"; "" if nothing is.
using ValueCheck = std::function<std::string(const std::string& value)>;

// Decimal digits for a number from `least` to `most`.
ValueCheck WholeNumber(uint64_t least, uint64_t most);

// A number above 0 and up to `most`, as a decimal ("0.5") or a fraction ("30000/1001"); nothing for
// any other text.
std::optional<double> ParseRate(const std::string& text, double most);
ValueCheck Rate(double most);

// One of these names.
ValueCheck OneOf(std::vector<std::string> names);

// Anything but nothing, and but a flag: the one that follows if the value was forgotten.
ValueCheck SomeText();

// The same, but may be empty.
ValueCheck AnyText();

// Of a file's name, without its dot: "png". "" if it has none.
std::string ExtensionOf(const std::string& path);

// "global,frame" as kinds of blocks. Throws Error naming what is none.
std::vector<BlockKind> ParseBlockKinds(const std::string& text);
ValueCheck BlockKindList();

// What stands between two commas of "1-4,12", and the layers that it means, counted from 1. Layer
// 0, which no model has, stands for what cannot be read.
struct LayerItem {
  std::string text;
  std::vector<int64_t> layers;
};
// None for an empty text.
std::vector<LayerItem> ParseLayerList(const std::string& text);

}  // namespace vggt
