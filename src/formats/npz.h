// SPDX-License-Identifier: Apache-2.0
// NumPy's .npz: a zip archive of .npy files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "formats/npy.h"
#include "formats/zip.h"

namespace vggt {

// An archive of one array, which numpy.load(path)[name] gives back. Atomic; throws Error.
void WriteNpz(const std::filesystem::path& path, const std::string& name, const std::string& descr,
              const Shape& shape, Bytes data, bool compress, AtomicOptions options = {});

class NpzFile {
 public:
  explicit NpzFile(const std::filesystem::path& path) : zip_(path) {}

  struct Array {
    std::vector<uint8_t> storage;  // empty if the entry is stored: then the file's mapping is used
    NpyArray npy;  // points into storage, or into the NpzFile, which must outlive it
  };

  // "heatmaps" for the entry heatmaps.npy.
  std::vector<std::string> names() const;
  // Throws Error naming the arrays there are if `name` is none of them, or if it is damaged.
  Array Read(const std::string& name) const;

 private:
  ZipReader zip_;
};

}  // namespace vggt
