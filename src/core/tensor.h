// SPDX-License-Identifier: Apache-2.0
// Number types, shapes, buffers and views of tensors. Values are row-major unless strides say
// otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.h"

namespace vggt {

enum class DType { kF32, kF16, kBF16, kF64, kU8, kOther };

// Bytes of one value; 0 for kOther.
size_t DTypeSize(DType dtype);
// "F32", "F16", "BF16", "F64", "U8" or "other".
const char* DTypeName(DType dtype);

using Shape = std::vector<int64_t>;

// The number of values of a shape; 1 for the empty shape, which is a scalar's. Throws Error about
// `where` if an extent is negative or the product overflows.
int64_t NumElements(const Shape& shape, const std::string& where = "");
// "[5, 930, 1024]".
std::string ShapeText(const Shape& shape);

// Conversions of float16 (IEEE binary16) and bfloat16, both as bits. They round to nearest, ties to
// even; NaN stays NaN.
float F16ToF32(uint16_t bits);
uint16_t F32ToF16(float value);
float BF16ToF32(uint16_t bits);
uint16_t F32ToBF16(float value);

// Memory for `count` values of `size` bytes each, aligned to 64 bytes; null if `count` is 0. For
// 4 MB and more, the operating system is asked for huge pages. Throws std::bad_alloc.
void* AllocateAligned(size_t count, size_t size);
void FreeAligned(void* p);

// A buffer of values, uninitialised and aligned to 64 bytes. Movable.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size)
      : data_(static_cast<T*>(AllocateAligned(size, sizeof(T)))), size_(size) {}

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_.get()[i]; }
  T operator[](size_t i) const { return data_.get()[i]; }
  std::span<T> span() { return {data(), size_}; }
  std::span<const T> span() const { return {data(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const { FreeAligned(p); }
  };
  std::unique_ptr<T[], Free> data_;
  size_t size_ = 0;
};

using FloatBuffer = AlignedBuffer<float>;
using Bf16Buffer = AlignedBuffer<uint16_t>;  // bfloat16 as its bits

// A tensor in bytes that something else owns. They need not be aligned.
struct TensorView {
  DType dtype = DType::kOther;
  Shape shape;
  // One stride for each dimension, in values; empty means row-major without gaps.
  std::vector<int64_t> strides;
  // The bytes from the first value to the last one that shape and strides reach.
  Bytes bytes;
};

// The part of a tensor with the indices [first, first + count) of its first dimension, which must
// be inside it.
TensorView RowsOf(const TensorView& view, int64_t first, int64_t count);

// Writes the values of `view` (F32, F16, BF16 or F64) as float32, row-major, to out[0 … numel).
// Throws Error for another dtype, or if `view.bytes` is shorter than its shape needs.
void CopyToF32(const TensorView& view, float* out);

}  // namespace vggt
