// SPDX-License-Identifier: Apache-2.0
#include "kernels/precision.h"

#include "kernels/onednn.h"

namespace vggt {

std::string_view PrecisionName(Precision precision) {
  return precision == Precision::kBf16 ? "bf16" : "f32";
}

bool MultipliesBf16() {
#if defined(__x86_64__)
  // Processors with AMX have AVX512_BF16 too. oneDNN's names of instruction sets are sets of bits:
  // each holds those it builds on.
  const auto native = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  const auto effective = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (effective & native) == native && __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace vggt
