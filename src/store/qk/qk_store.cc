// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/file.h"
#include "formats/safetensors.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMostJson = 16'000'000;

// The tensor, which has the type and shape announced.
const TensorView& FindTensor(const SafetensorsFile& file, const std::string& name, DType dtype,
                             const Shape& expected, const fs::path& path) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) {
    throw Error(fmt::format("has no tensor '{}'", name), path.string());
  }
  const TensorView& tensor = found->second;
  if (tensor.dtype == dtype && tensor.shape == expected) return tensor;
  throw Error(fmt::format("'{}' is {} of shape {}, {} announces {} of {}", name,
                          DTypeName(tensor.dtype), ShapeText(tensor.shape), kQkDescriptionName,
                          DTypeName(dtype), ShapeText(expected)),
              path.string());
}

// The float16 values of a tensor of the shape announced.
const uint16_t* HalfValues(const SafetensorsFile& file, const std::string& name,
                           const Shape& expected, const fs::path& path) {
  const TensorView& tensor = FindTensor(file, name, DType::kF16, expected, path);
  if (reinterpret_cast<uintptr_t>(tensor.bytes.data()) % sizeof(uint16_t) != 0) {
    throw Error(fmt::format("'{}' begins at an odd byte", name), path.string(),
                "Pad the header with spaces to a multiple of 8 bytes, as the format recommends.");
  }
  return reinterpret_cast<const uint16_t*>(tensor.bytes.data());
}

// Throws unless each value is a norm, or the sums of unit vectors of `patches` patches.
void CheckExtra(QkExtra extra, const Shape& shape, int64_t patches,
                const std::vector<float>& values, const fs::path& path) {
  const auto refuse = [&](size_t index, const std::string& what) {
    throw Error(fmt::format("'{}' holds {} at index {}", QkExtraName(extra), what, index),
                path.string(), "The file is damaged: export again.");
  };
  if (extra != QkExtra::kXUnitSum) {
    const auto wrong = std::ranges::find_if_not(
        values, [](float value) { return value >= 0 && std::isfinite(value); });
    if (wrong == values.end()) return;
    refuse(wrong - values.begin(), fmt::format("{}, which is no norm,", *wrong));
  }
  const auto channels = static_cast<size_t>(shape[1]);
  const double longest = 1.001 * static_cast<double>(patches);  // rounding
  for (size_t first = 0; first < values.size(); first += channels) {
    double squares = 0;
    for (size_t c = 0; c < channels; ++c) squares += std::pow(double{values[first + c]}, 2);
    if (squares <= longest * longest) continue;
    refuse(first / channels,
           fmt::format("a vector of length {:.6g}, which {} unit vectors do not reach,",
                       std::sqrt(squares), patches));
  }
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

QkExtraValues QkStore::Extras(const QkBlocks& blocks, size_t layer) const {
  const std::shared_ptr<const MappedFile> mapping = Layer(blocks, layer).mapping;
  const fs::path& path = mapping->path();
  const SafetensorsFile file = ParseSafetensors(mapping->bytes(), path.string());
  QkExtraValues values;
  for (const QkExtra extra : blocks.layers[layer].extras) {
    const Shape shape = description_.shape(blocks, extra);
    const TensorView& tensor =
        FindTensor(file, QkExtraName(extra), QkExtraType(extra), shape, path);
    std::vector<float>& of = values.of(extra);
    of.resize(NumElements(shape));
    CopyToF32(tensor, of.data());
    CheckExtra(extra, shape, description_.H_p * description_.W_p, of, path);
  }
  mapping->CheckIntact();
  return values;
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
