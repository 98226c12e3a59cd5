// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/bf16_support.h"

#include "backend/cpu/onednn.h"
#include "ops/precision.h"

namespace vggt {

bool MultipliesBf16() {
#if defined(__x86_64__)
  // oneDNN's names of instruction sets are sets of bits: each holds those it builds on.
  const auto native = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  const auto effective = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (effective & native) == native && ProcessorMultipliesBf16();
#else
  return false;
#endif
}

}  // namespace vggt
