// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <string>

#include "core/tensor.h"

namespace vggt {

// What stands before the values in a file of version 1.0: magic, version and a dictionary, padded
// to a multiple of 64 bytes. `descr` is NumPy's name of the type, such as "|u1" or "<f4";
// row-major.
std::string NpyHeader(const std::string& descr, const Shape& shape);

// No header is longer; with all that stands before the values.
inline constexpr size_t kLongestNpyHeader = 10'012;

// What a file announces, and the byte at which its values begin.
struct NpyLayout {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
  size_t data = 0;
};

// `bytes`: the first kLongestNpyHeader of a file, or all of a shorter one. Throws Error like
// ParseNpy, and if the values' size does not fit 64 bits.
NpyLayout ParseNpyHeader(Bytes bytes, const std::string& source);
// Bytes of all values.
uint64_t NpyDataSize(const NpyLayout& layout);

struct NpyArray {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
  Bytes data;  // exactly the values, a view into what was parsed
};

// Versions 1 to 3. Throws Error naming `source` if the header is malformed or the data are fewer or
// more than it announces, or if values are objects or records.
NpyArray ParseNpy(Bytes bytes, const std::string& source);

}  // namespace vggt
