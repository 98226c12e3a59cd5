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
