// SPDX-License-Identifier: Apache-2.0
// Reads Python pickles as data: nothing is imported, called or executed.
// The opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/file.h"

namespace vggt {

// One value. Values may be shared and may contain themselves, so code that walks them must limit
// its depth and its steps.
struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,    // integer is 0 or 1
    kInt,     // integer
    kFloat,   // real
    kText,    // text: UTF-8, or bytes unchanged
    kTuple,   // items
    kList,    // items
    kDict,    // items: key, value, key, value, …; also an OrderedDict
    kGlobal,  // text: "module name"
    kCall,    // the result of calling callee with the tuple items[0]; the call is not made
    kStored,  // items[0]: the persistent id of data stored outside the pickle
    kOpaque,  // a value that tensors do not need: a set, an integer beyond 64 bits
  };
  Kind kind = Kind::kNone;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<const PickleValue*> items;
  const PickleValue* callee = nullptr;
};

// A pickle of protocol 2 to 4.
class Pickle {
 public:
  // Throws Error naming `source` and the byte (and the opcode, if one is at fault) if the bytes are
  // not a pickle, are truncated, use an opcode that data do not need, or exceed the limits: 1 MB
  // for a text, 100 MB for all texts, 2 million values, 10 million opcodes.
  Pickle(Bytes bytes, const std::string& source);

  const PickleValue& root() const { return *root_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;  // owns all values, so that sharing and cycles do no harm
  const PickleValue* root_ = nullptr;
};

}  // namespace vggt
