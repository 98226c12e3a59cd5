// SPDX-License-Identifier: Apache-2.0
#include "weights/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "weights/file_kind.h"
#include "weights/torch_archive.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMostShards = 1000;

bool EndsLikeACheckpoint(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") ||
         name.ends_with(".bin.index.json") || name.ends_with(".pt") || name.ends_with(".pth") ||
         name.ends_with(".bin");
}

// The path of the only checkpoint in `folder`; an index stands for the shards beside it.
fs::path FindIn(const fs::path& folder) {
  std::vector<std::string> names, indices;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (!EndsLikeACheckpoint(name) || !entry->is_regular_file(ignored)) continue;
    (name.ends_with(".json") ? indices : names).push_back(name);
  }
  if (error) ThrowSystemError(error.value(), "cannot list the folder", folder.string());
  if (!indices.empty()) names = indices;
  if (names.empty()) {
    throw Error("is a folder without a checkpoint", folder.string(),
                "Give a folder or file with model.safetensors or model.pt.");
  }
  std::sort(names.begin(), names.end());
  if (names.size() > 1) {
    throw Error(fmt::format("is a folder with {} checkpoints, such as {} and {}", names.size(),
                            Printable(names[0]), Printable(names[1])),
                folder.string(), "Give the file that you want.");
  }
  return folder / names[0];
}

// Maps the name of each tensor to the name of the shard that holds it.
std::map<std::string, std::string> ReadIndex(const fs::path& path) {
  const Json json = ReadJsonFile(path);
  if (!json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw Error("is JSON, but not an index of weights: it has no 'weight_map'", path.string(),
                "Give a .safetensors or PyTorch .pt file, or a model.safetensors.index.json.");
  }
  std::map<std::string, std::string> shard_of;
  for (const auto& [name, shard] : json["weight_map"].items()) {
    if (!shard.is_string() || !IsBareName(shard.get<std::string>())) {
      throw Error(fmt::format("'weight_map' places '{}' in {}, expected the name of a file in the "
                              "same folder",
                              Printable(name), DescribeJson(shard)),
                  path.string());
    }
    shard_of[name] = shard.get<std::string>();
  }
  return shard_of;
}

bool Contains(Bytes outer, Bytes inner) {
  const std::less_equal<> le;
  return le(outer.data(), inner.data()) &&
         le(inner.data() + inner.size(), outer.data() + outer.size());
}

}  // namespace

Checkpoint Checkpoint::Open(const fs::path& path) {
  Checkpoint checkpoint;
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? FindIn(path) : path;
  checkpoint.name_ = file.string();
  const MappedFile glance(file);
  if (DetectFileKind(glance.bytes(), file.string()) == FileKind::kShardIndex) {
    checkpoint.OpenShards(file);
  } else {
    checkpoint.tensors_ = checkpoint.OpenFile(file);
  }
  checkpoint.CheckIntact();
  return checkpoint;
}

Checkpoint Checkpoint::FromMemory(Bytes bytes, const std::string& name) {
  Checkpoint checkpoint;
  checkpoint.name_ = name;
  checkpoint.format_ = "safetensors";
  checkpoint.file_bytes_ = bytes.size();
  checkpoint.tensors_ = ParseSafetensors(bytes, name).tensors;
  return checkpoint;
}

std::map<std::string, TensorView> Checkpoint::OpenFile(const fs::path& path) {
  MappedFile file(path);
  file_bytes_ += file.bytes().size();
  switch (DetectFileKind(file.bytes(), path.string())) {
    case FileKind::kSafetensors:
      format_ = "safetensors";
      files_.push_back(std::move(file));
      return ParseSafetensors(files_.back().bytes(), path.string()).tensors;
    case FileKind::kZip:
      format_ = "PyTorch";
      return ReadTorchArchive(archives_.emplace_back(path));
    case FileKind::kShardIndex:
      break;
  }
  throw Error("is JSON, expected a file of weights", path.string());
}

void Checkpoint::OpenShards(const fs::path& index) {
  std::map<std::string, std::set<std::string>> names_in;
  for (const auto& [name, shard] : ReadIndex(index)) names_in[shard].insert(name);
  if (names_in.empty() || names_in.size() > kMostShards) {
    throw Error(
        fmt::format("'weight_map' names {} files, expected 1 to {}", names_in.size(), kMostShards),
        index.string());
  }
  for (const auto& [shard, names] : names_in) {
    const fs::path path = index.parent_path() / shard;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      throw Error(fmt::format("shard '{}' is missing", Printable(shard)), index.string(),
                  "Download all files of the model into one folder.");
    }
    std::map<std::string, TensorView> tensors = OpenFile(path);
    for (const std::string& name : names) {
      auto tensor = tensors.extract(name);
      if (tensor.empty()) {
        throw Error(fmt::format("tensor '{}' is missing, but {} expects it here", Printable(name),
                                index.filename().string()),
                    path.string(), "The files do not belong together: download them again.");
      }
      tensors_.insert(std::move(tensor));
    }
  }
  format_ += fmt::format(", {} shard{}", names_in.size(), names_in.size() == 1 ? "" : "s");
}

const TensorView* Checkpoint::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const MappedFile* Checkpoint::FileOf(Bytes part) const {
  for (const MappedFile& file : files_) {
    if (Contains(file.bytes(), part)) return &file;
  }
  for (const ZipReader& archive : archives_) {
    if (Contains(archive.file().bytes(), part)) return &archive.file();
  }
  return nullptr;
}

void Checkpoint::Read(Bytes part, uint8_t* to) const {
  if (const MappedFile* file = FileOf(part)) {
    file->Read(static_cast<size_t>(part.data() - file->bytes().data()), part.size(), to);
  } else {
    std::copy(part.begin(), part.end(), to);
  }
}

void Checkpoint::CheckIntact() const {
  for (const MappedFile& file : files_) file.CheckIntact();
  for (const ZipReader& archive : archives_) archive.file().CheckIntact();
}

void Checkpoint::Release(const TensorView& tensor) const {
  if (const MappedFile* file = FileOf(tensor.bytes)) {
    file->Release(static_cast<size_t>(tensor.bytes.data() - file->bytes().data()),
                  tensor.bytes.size());
  }
}

}  // namespace vggt
