// SPDX-License-Identifier: Apache-2.0
// What a file of weights is, told by its content.
#pragma once

#include <string>

#include "core/file.h"

namespace vggt {

enum class FileKind {
  kSafetensors,
  kShardIndex,  // JSON that says which tensor lies in which file
  kZip,         // PyTorch's, as far as its first bytes tell
};

// Looks at the first bytes only. Throws Error that says what the file is instead and what to do:
// empty, a web page, a Git LFS pointer, gzip, tar, HDF5, GGUF, .npy, a legacy PyTorch file, a bare
// pickle, text, something else.
FileKind DetectFileKind(Bytes bytes, const std::string& source);

}  // namespace vggt
