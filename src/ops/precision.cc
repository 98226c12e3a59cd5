// SPDX-License-Identifier: Apache-2.0
#include "ops/precision.h"

namespace vggt {

std::string_view PrecisionName(Precision precision) {
  return precision == Precision::kBf16 ? "bf16" : "f32";
}

bool ProcessorMultipliesBf16() {
#if defined(__x86_64__)
  // Processors with AMX have AVX512_BF16 too.
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace vggt
