// SPDX-License-Identifier: Apache-2.0
// A request for exact attention in words, and what is wrong with it. Each face (the command line,
// the API) fills in RequestWords and says in its own terms which field an error is about.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "attention/request.h"
#include "core/error.h"

namespace vggt {

// A request that cannot be answered because of how it was asked. where() is the field's name.
class RequestError : public Error {
 public:
  enum class Kind {
    kMalformed,  // no such value can be asked for
    kNotThere,   // such a value can be asked for, but this store or export does not have it
    kPlace       // of the fields that name the query none is given, or too many are
  };

  // `field` is "" if the error is about several fields.
  RequestError(Kind kind, const std::string& field, const std::string& what,
               const std::string& hint = "")
      : Error(what, field, hint), kind_(kind) {}

  Kind kind() const { return kind_; }
  const std::string& field() const { return where(); }

 private:
  Kind kind_;
};

// The fields of docs/http-api.md ("Exact attention"), each as text; nullopt if it was not given.
struct RequestWords {
  std::optional<std::string> definition, rope, block, layers, heads, reduce, frame, row, col, rows,
      cols, cells, token, incoming, frames, tokens;
};

struct RequestField {
  const char* name;
  std::optional<std::string> RequestWords::*text;
};

// All fields of RequestWords.
std::span<const RequestField> RequestFields();

// Throws RequestError naming the field.
AttentionRequest ParseRequest(const RequestWords& words, const QkDescription& description);

// The parts that requests for stored maps share:

// The largest number that is read: the end of ranges whose own is not known yet.
inline constexpr int64_t kMostNumber = 999'999'999;

// What a number counts, for errors: "there is no row 9. They run from 0 to 2."
struct NumberRange {
  const char* noun;
  int64_t first = 0, last = 0;
};

// Reads decimal digits alone, for a number in the range. Throws RequestError (kMalformed).
int64_t ParseNumber(const std::string& text, const NumberRange& range, const std::string& field);

// "3,5" -> {3, 5}. Throws RequestError (kMalformed), also if a number is named twice.
std::vector<int64_t> ParseNumbers(const std::string& text, const NumberRange& range,
                                  const std::string& field);

// "all", or a list of layers' numbers -> their places in `numbers`, which are those that `owner`
// ("the store") has. Throws RequestError: kNotThere for a layer that is none of them.
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
