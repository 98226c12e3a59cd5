// SPDX-License-Identifier: Apache-2.0
// The number format of the factors in matrix products.
#pragma once

#include <string_view>

namespace vggt {

// kBf16: the factors of matrix products are bfloat16; sums, norms, softmax and the residual stream
// stay float32.
enum class Precision { kF32, kBf16 };

// "f32" or "bf16".
std::string_view PrecisionName(Precision precision);

// Whether this processor multiplies bfloat16 natively (AVX512_BF16). Asked at run time.
bool ProcessorMultipliesBf16();

}  // namespace vggt
