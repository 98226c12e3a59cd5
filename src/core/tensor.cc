// SPDX-License-Identifier: Apache-2.0
#include "core/tensor.h"

#include <fmt/ranges.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/error.h"

namespace vggt {

size_t DTypeSize(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return 8;
    case DType::kF32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kU8:
      return 1;
    case DType::kOther:
      break;
  }
  return 0;
}

const char* DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return "F64";
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kU8:
      return "U8";
    case DType::kOther:
      break;
  }
  return "other";
}

int64_t NumElements(const Shape& shape, const std::string& where) {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) {
      throw Error("impossible shape " + ShapeText(shape), where);
    }
  }
  return count;
}

std::string ShapeText(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

float F16ToF32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1F;
  const uint32_t mantissa = bits & 0x3FF;
  if (exponent == 0) {  // zero or subnormal: a multiple of 2^-24
    return std::bit_cast<float>(sign |
                                std::bit_cast<uint32_t>(static_cast<float>(mantissa) * 0x1p-24F));
  }
  const uint32_t widened = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | mantissa << 13);
}

uint16_t F32ToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | 0x7E00;
  if (magnitude >= 0x477FF000) return sign | 0x7C00;  // 65520 and above round to infinity
  if (magnitude < 0x38800000) {                       // below 2^-14: a multiple of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24F;
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyintf(scaled)));
  }
  const uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

float BF16ToF32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t F32ToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

void* AllocateAligned(size_t count, size_t size) {
  // Getting a page of 4 KB costs about as much as filling it once. Below kLarge there are few.
  constexpr size_t kLarge = 4U << 20, kHugePage = 2U << 20;
  if (count == 0) return nullptr;
  if (count > SIZE_MAX / 2 / size) throw std::bad_alloc();
  const size_t bytes = count * size, alignment = bytes >= kLarge ? kHugePage : 64;
  const size_t rounded = (bytes + 63) / 64 * 64;
  void* p = nullptr;
  if (posix_memalign(&p, alignment, rounded) != 0) throw std::bad_alloc();
  if (bytes >= kLarge) madvise(p, rounded, MADV_HUGEPAGE);  // only a hint: it may fail
  return p;
}

void FreeAligned(void* p) { std::free(p); }

namespace {

// The value stored at `p`, which need not be aligned.
float LoadAsF32(DType dtype, const uint8_t* p) {
  const auto load = [p](auto value) {
    std::memcpy(&value, p, sizeof(value));
    return value;
  };
  switch (dtype) {
    case DType::kF16:
      return F16ToF32(load(uint16_t{}));
    case DType::kBF16:
      return BF16ToF32(load(uint16_t{}));
    case DType::kF64:
      return static_cast<float>(load(double{}));
    default:
      return load(float{});
  }
}

// Copies the dimensions from `dim` on. `index` is the position of their first value in view.bytes,
// counted in values. Returns the end of what was written.
float* CopyStrided(const TensorView& view, size_t dim, int64_t index, float* out) {
  if (dim == view.shape.size()) {
    *out = LoadAsF32(view.dtype, view.bytes.data() + index * DTypeSize(view.dtype));
    return out + 1;
  }
  for (int64_t i = 0; i < view.shape[dim]; ++i) {
    out = CopyStrided(view, dim + 1, index + i * view.strides[dim], out);
  }
  return out;
}

}  // namespace

TensorView RowsOf(const TensorView& view, int64_t first, int64_t count) {
  TensorView rows = view;
  rows.shape[0] = count;
  const int64_t stride = view.strides.empty()
                             ? NumElements({view.shape.begin() + 1, view.shape.end()})
                             : view.strides[0];
  const size_t offset = static_cast<size_t>(first * stride) * DTypeSize(view.dtype);
  rows.bytes = view.bytes.subspan(std::min(offset, view.bytes.size()));
  return rows;
}

void CopyToF32(const TensorView& view, float* out) {
  if (view.dtype == DType::kOther || view.dtype == DType::kU8) {
    throw Error(fmt::format("values of type {} where F32, F16, BF16 or F64 is needed",
                            DTypeName(view.dtype)));
  }
  const int64_t count = NumElements(view.shape);
  if (count == 0) return;
  int64_t last = count - 1;
  if (!view.strides.empty()) {
    last = 0;
    for (size_t d = 0; d < view.shape.size(); ++d) last += (view.shape[d] - 1) * view.strides[d];
  }
  const size_t size = DTypeSize(view.dtype);
  if (last < 0 || static_cast<size_t>(last) >= view.bytes.size() / size) {
    throw Error(fmt::format("a tensor of shape {} reaches past its {} bytes", ShapeText(view.shape),
                            view.bytes.size()));
  }
  if (!view.strides.empty()) {
    CopyStrided(view, 0, 0, out);
  } else if (view.dtype == DType::kF32) {
    std::memcpy(out, view.bytes.data(), count * sizeof(float));
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = LoadAsF32(view.dtype, &view.bytes[i * size]);
  }
}

}  // namespace vggt
