// SPDX-License-Identifier: Apache-2.0
// What requests for maps are written in: numbers and lists as text, and what is wrong with them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"

namespace vggt {

// A request that cannot be answered because of how it was asked. where() is the field's name.
class RequestError : public Error {
 public:
  enum class Kind {
    kMalformed,  // no such value can be asked for
    kNotThere,   // it could be, but what is asked has none of that name or number
    kPlace       // of the fields that name the query none is given, or too many are
  };

  // `field`: "" if it is about several.
  RequestError(Kind kind, const std::string& field, const std::string& what,
               const std::string& hint = "")
      : Error(what, field, hint), kind_(kind) {}

  Kind kind() const { return kind_; }
  const std::string& field() const { return where(); }

 private:
  Kind kind_;
};

// What a number counts, for errors: "there is no row 9. They run from 0 to 2."
struct NumberRange {
  const char* noun;
  int64_t first = 0, last = 0;
};

// Decimal digits alone, for a number in the range; else RequestError (kMalformed).
int64_t ParseNumber(const std::string& text, const NumberRange& range, const std::string& field);

// "3,5" -> {3, 5}, none twice; else RequestError (kMalformed).
std::vector<int64_t> ParseNumbers(const std::string& text, const NumberRange& range,
                                  const std::string& field);

// "all", or a list of layers -> their places in `numbers`, which are those that `owner` ("the
// store") has. Throws RequestError: kNotThere for a layer that is none of them.
std::vector<size_t> ParseLayers(const std::string& text, const std::vector<int64_t>& numbers,
                                const std::string& owner);

// {first, first + 1, …}, `count` of them.
template <typename T>
std::vector<T> Range(T first, size_t count) {
  std::vector<T> numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = first + static_cast<T>(i);
  return numbers;
}

}  // namespace vggt
