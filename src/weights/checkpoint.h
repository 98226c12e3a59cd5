// SPDX-License-Identifier: Apache-2.0
// A model's weights by name, wherever they are stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/tensor.h"

namespace vggt {

class ZipReader;

// The tensors of a file (or several), mapped: opening reads headers only, whatever the size.
class Checkpoint {
 public:
  // .safetensors, a sharded *.index.json, or a PyTorch zip .pt/.pth/.bin, told apart by content; or
  // a folder that holds exactly one of them. Throws Error for anything else (weights/file_kind.h)
  // and for damage: each tensor lies within its file.
  static Checkpoint Open(const std::filesystem::path& path);
  // A safetensors file in memory that outlives the Checkpoint.
  static Checkpoint FromMemory(Bytes bytes, const std::string& name);

  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  const std::string& name() const { return name_; }  // the path opened, or the name given
  const std::string& format() const {
    return format_;
  }  // "safetensors", "safetensors, 3 shards", "PyTorch"
  uint64_t file_bytes() const { return file_bytes_; }  // of all files together

  // Views into the mappings; valid as long as the Checkpoint.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  // nullptr if there is none of this name.
  const TensorView* Find(const std::string& name) const;

  // Lets the operating system take back the memory of this tensor's pages, once it has been copied.
  void Release(const TensorView& tensor) const;

 private:
  Checkpoint();
  void OpenFile(const std::filesystem::path& path);
  void OpenShards(const std::filesystem::path& index);

  std::string name_, format_;
  uint64_t file_bytes_ = 0;
  std::map<std::string, TensorView> tensors_;
  std::vector<MappedFile> files_;
  std::vector<std::unique_ptr<ZipReader>> archives_;
};

}  // namespace vggt
