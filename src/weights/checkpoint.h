// SPDX-License-Identifier: Apache-2.0
// A model's weights by name, from every format of checkpoint that is read.
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

// The tensors of one file or of several shards. The files are mapped into memory: opening reads
// only headers, however large the files are. If a file is changed or truncated while it is open,
// CheckIntact() throws Error (core/mapped_file.h).
class Checkpoint {
 public:
  // Opens a .safetensors file, the *.index.json of sharded files, or a PyTorch zip (.pt, .pth,
  // .bin), told apart by content; or a folder that holds exactly one of them, where an index stands
  // for its shards. Throws Error for anything else (weights/file_kind.h) and for damaged files.
  // Every tensor is checked to lie inside its file.
  static Checkpoint Open(const std::filesystem::path& path);
  // Opens a safetensors file in memory. `bytes` must outlive the Checkpoint.
  static Checkpoint FromMemory(Bytes bytes, const std::string& name);

  const std::string& name() const { return name_; }  // the path that was opened, or `name`
  // "safetensors", "safetensors, 3 shards", "PyTorch".
  const std::string& format() const { return format_; }
  uint64_t file_bytes() const { return file_bytes_; }  // of all files together

  // Views into the mapped files, valid as long as the Checkpoint.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  // The tensor of this name, or nullptr.
  const TensorView* Find(const std::string& name) const;

  // Copies `part` of a tensor's bytes to `to`. Files are read for this, not accessed through the
  // mapping: reading costs less than a page fault for each page.
  void Read(Bytes part, uint8_t* to) const;
  // Throws Error if a file was changed or truncated since it was opened. Call it after the last
  // access to a view: what was read before may be wrong if it throws.
  void CheckIntact() const;
  // Tells the operating system that the memory of this tensor's pages is no longer needed.
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
