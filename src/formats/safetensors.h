// SPDX-License-Identifier: Apache-2.0
// The safetensors format: https://github.com/huggingface/safetensors#format
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/tensor.h"

namespace vggt {

struct SafetensorsFile {
  std::map<std::string, TensorView> tensors;  // views into the bytes that were parsed
  std::map<std::string, std::string> metadata;
};

// Checks all that the format promises: the header is a JSON object of at most 100 MB, the tensors'
// offsets leave no holes, do not overlap and end where the file ends, and sizes fit dtype and
// shape. Throws Error naming `source`, and the tensor where there is one. Number types that DType
// has no name for become DType::kOther.
SafetensorsFile ParseSafetensors(Bytes bytes, const std::string& source);

// True if `bytes` begin like a safetensors file: a plausible size, then "{".
bool LooksLikeSafetensors(Bytes bytes);

// Writes a file front to back without holding it in memory. It gets its name in Commit().
class SafetensorsWriter {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    Shape shape;
  };

  SafetensorsWriter(const std::filesystem::path& path, const std::vector<Entry>& entries,
                    const std::map<std::string, std::string>& metadata, AtomicOptions options = {});

  // Writes the values of the next entry, in the order announced. Throws Error if their size is
  // another.
  void Append(Bytes bytes);
  // Throws Error if an entry was not written.
  void Commit();
  // The size of the whole file in bytes.
  uint64_t size() const { return size_; }

 private:
  AtomicFile file_;
  std::vector<Entry> entries_;
  size_t next_ = 0;
  uint64_t size_ = 0;
};

}  // namespace vggt
