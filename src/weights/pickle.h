// SPDX-License-Identifier: Apache-2.0
// Python pickles read as data: nothing is looked up, called or executed.
// Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/file.h"

namespace vggt {

// One value. Values may be shared and may contain themselves: who walks them bounds depth and
// steps.
struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,    // integer is 0 or 1
    kInt,     // integer
    kFloat,   // real
    kText,    // text, UTF-8 or bytes as they stand
    kTuple,   // items
    kList,    // items
    kDict,    // items: key, value, key, value, …; OrderedDict too
    kGlobal,  // text: "module name"
    kCall,    // what calling callee with the tuple items[0] would have made: never made
    kStored,  // items[0]: the persistent id of something stored beside the pickle
    kOpaque,  // a value that no tensor needs: sets, integers beyond 64 bits
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
  // Throws Error naming `source`, the opcode and the byte if the bytes are no pickle, are
  // truncated, use opcodes that data do not need, or exceed the limits (texts of 1 MB, 2 million
  // values).
  Pickle(Bytes bytes, const std::string& source);

  const PickleValue& root() const { return *root_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;  // owns them all: sharing and cycles cost nothing
  const PickleValue* root_ = nullptr;
};

}  // namespace vggt
