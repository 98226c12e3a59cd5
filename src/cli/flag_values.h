// SPDX-License-Identifier: Apache-2.0
// What the values of flags must be, with problems worded for their users.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

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

// A width in pixels that the model can see.
ValueCheck ImageWidth();

// Anything but nothing, and but a flag: the one that follows if the value was forgotten.
ValueCheck SomeText();

// The same, but may be empty.
ValueCheck AnyText();

}  // namespace vggt
