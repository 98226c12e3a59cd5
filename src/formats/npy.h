// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), and .npz,
// which is a zip archive of .npy files.
#pragma once

#include <filesystem>
#include <string>

#include "core/file.h"
#include "core/tensor.h"

namespace vggt {

// The header of a file of version 1.0, which stands before the values: magic, version and a
// dictionary, padded to a multiple of 64 bytes. `descr` is NumPy's name of the type, such as "|u1"
// or "<f4". The values are row-major.
std::string NpyHeader(const std::string& descr, const Shape& shape);

// No header is longer, magic and version included.
inline constexpr size_t kLongestNpyHeader = 10'012;

// What the header announces.
struct NpyLayout {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
  size_t data = 0;  // the byte at which the values begin
};

// `bytes`: the first kLongestNpyHeader bytes of a file, or all of a shorter one. Throws Error like
// ParseNpy, and if the size of the values does not fit 64 bits.
NpyLayout ParseNpyHeader(Bytes bytes, const std::string& source);
// The size of all values in bytes.
uint64_t NpyDataSize(const NpyLayout& layout);

struct NpyArray {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
  Bytes data;  // exactly the values, a view into what was parsed
};

// Reads versions 1 to 3. Throws Error naming `source` if the header is malformed, if there are
// fewer or more data than it announces, or if the values are objects or records.
NpyArray ParseNpy(Bytes bytes, const std::string& source);

// Writes an .npz of one array, which numpy.load(path)[name] gives back. Throws Error.
void WriteNpz(const std::filesystem::path& path, const std::string& name, const std::string& descr,
              const Shape& shape, Bytes data, bool compress, AtomicOptions options = {});

}  // namespace vggt
