// SPDX-License-Identifier: Apache-2.0
// A model's weights by name, wherever they are stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/mapped_file.h"
#include "core/tensor.h"
#include "formats/zip.h"

namespace vggt {

// The tensors of a file (or several), mapped: opening reads headers only, whatever the size. What
// others do to the files meanwhile becomes an Error (core/mapped_file.h).
class Checkpoint {
 public:
  // .safetensors, a sharded *.index.json, or a PyTorch zip .pt/.pth/.bin, told apart by content; or
  // a folder that holds exactly one of them, where an index stands for its shards. Throws Error for
  // anything else (weights/file_kind.h) and for damage: each tensor lies within its file.
  static Checkpoint Open(const std::filesystem::path& path);
  // A safetensors file in memory that outlives the Checkpoint.
  static Checkpoint FromMemory(Bytes bytes, const std::string& name);

  const std::string& name() const { return name_; }  // the path opened, or the name given
  // "safetensors", "safetensors, 3 shards", "PyTorch".
  const std::string& format() const { return format_; }
  uint64_t file_bytes() const { return file_bytes_; }  // of all files together

  // Views into the mappings; valid as long as the Checkpoint.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  // nullptr if there is none of this name.
  const TensorView* Find(const std::string& name) const;

  // Copies `part` of a tensor's bytes to `to`. From a file it is read, not taken from the mapping:
  // that costs less than a page fault for each page.
  void Read(Bytes part, uint8_t* to) const;
  // Throws Error if a file was changed or truncated since it was opened: call it when all that was
  // taken from views is done with.
  void CheckIntact() const;
  // Lets the operating system take back the memory of this tensor's pages, once it has been copied.
  void Release(const TensorView& tensor) const;

 private:
  Checkpoint() = default;
  std::map<std::string, TensorView> OpenFile(const std::filesystem::path& path);
  void OpenShards(const std::filesystem::path& index);
  // The file that `part` lies in, or null.
  const MappedFile* FileOf(Bytes part) const;

  std::string name_, format_;
  uint64_t file_bytes_ = 0;
  std::map<std::string, TensorView> tensors_;
  std::vector<MappedFile> files_;
  std::vector<ZipReader> archives_;
};

}  // namespace vggt
