// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_store.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/file.h"
#include "formats/safetensors.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMostJson = 16'000'000;

// The float16 values of a tensor of the shape announced.
const uint16_t* HalfValues(const SafetensorsFile& file, const std::string& name,
                           const Shape& expected, const fs::path& path) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) {
    throw Error(fmt::format("has no tensor '{}'", name), path.string());
  }
  const TensorView& tensor = found->second;
  if (tensor.dtype != DType::kF16 || tensor.shape != expected) {
    throw Error(
        fmt::format("'{}' is {} of shape {}, {} announces F16 of {}", name, DTypeName(tensor.dtype),
                    ShapeText(tensor.shape), kQkDescriptionName, ShapeText(expected)),
        path.string());
  }
  if (reinterpret_cast<uintptr_t>(tensor.bytes.data()) % sizeof(uint16_t) != 0) {
    throw Error(fmt::format("'{}' begins at an odd byte", name), path.string(),
                "Pad the header with spaces to a multiple of 8 bytes, as the format recommends.");
  }
  return reinterpret_cast<const uint16_t*>(tensor.bytes.data());
}

}  // namespace

fs::path FindQkDescription(const fs::path& path) {
  std::error_code ignored;
  if (path.filename() == kQkDescriptionName) return path;
  for (const fs::path& folder : {path / kQkFolderName, path, path / ".." / kQkFolderName}) {
    const fs::path file = folder / kQkDescriptionName;
    if (fs::is_regular_file(file, ignored)) return file.lexically_normal();
  }
  return {};
}

QkDescription ReadQkDescription(const fs::path& file, const fs::path& root) {
  CheckInside(file, root);
  return ParseQkDescription(ReadFile(file, kMostJson), file.string());
}

QkStore::QkStore(const fs::path& file, fs::path root)
    : folder_(file.has_parent_path() ? file.parent_path() : "."),
      root_(std::move(root)),
      description_(ReadQkDescription(file, root_)) {
  for (const QkBlocks& blocks : description_.blocks) layers_.emplace_back(blocks.layers.size());
}

fs::path QkStore::LayerPath(const QkBlocks& blocks, size_t layer) const {
  return folder_ / blocks.layers.at(layer).file;
}

QkTensors QkStore::Layer(const QkBlocks& blocks, size_t layer) const {
  const auto place = static_cast<size_t>(&blocks - description_.blocks.data());
  const std::lock_guard lock(mutex_);
  QkTensors& tensors = layers_.at(place).at(layer);
  if (tensors.mapping != nullptr && tensors.mapping->IsCurrent()) return tensors;
  tensors = {};
  const fs::path path = LayerPath(blocks, layer);
  CheckInside(path, root_);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    throw MissingFile("no such file", path.string(), "Copy the export whole, or export again.");
  }
  auto mapping = std::make_shared<const MappedFile>(path);
  const SafetensorsFile file = ParseSafetensors(mapping->bytes(), path.string());
  const Shape shape = description_.shape(blocks);
  const uint16_t* q = HalfValues(file, "q", shape, path);
  const uint16_t* k = HalfValues(file, "k", shape, path);
  mapping->CheckIntact();
  tensors = {q, k, std::move(mapping), ++opened_};
  return tensors;
}

}  // namespace vggt
