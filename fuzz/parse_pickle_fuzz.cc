// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes: values that refer to values, or an Error.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "weights/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using Kind = vggt::PickleValue::Kind;
  try {
    const vggt::Pickle pickle({data, size}, "fuzz");
    const vggt::PickleValue& root = pickle.root();
    for (const vggt::PickleValue* item : root.items) {
      if (item == nullptr) std::abort();
    }
    if (root.kind == Kind::kDict && root.items.size() % 2 != 0) std::abort();
    if (root.kind == Kind::kCall && root.callee == nullptr) std::abort();
  } catch (const vggt::Error&) {
  }
  return 0;
}
