// SPDX-License-Identifier: Apache-2.0
// Tells by its content what a file of weights is.
#pragma once

#include <string>

#include "core/file.h"

namespace vggt {

enum class FileKind {
  kSafetensors,
  kShardIndex,  // JSON that says which tensor lies in which file
  kZip,         // any zip archive: the first bytes do not tell whether it is PyTorch's
};

// Looks at the first bytes only. For other files it throws Error that says what the file is and
// what to do: empty, a web page, a Git LFS pointer, compressed (gzip, xz, Zstandard), tar, HDF5,
// GGUF, .npy, a PyTorch file from before 1.6, a bare pickle, text, something else.
FileKind DetectFileKind(Bytes bytes, const std::string& source);

}  // namespace vggt
