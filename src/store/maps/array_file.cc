// SPDX-License-Identifier: Apache-2.0
#include "store/maps/array_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/tensor.h"
#include "formats/zip.h"
#include "store/maps/scratch_file.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kSuffix = ".npy";
// Deflate cannot shrink data by more than this factor.
constexpr uint64_t kMostExpansion = 1032;
// So many deflated bytes give more than the longest header.
constexpr uint64_t kBeginning = 1 << 16;

ZipEntry FindEntry(const File& file, const std::string& name) {
  const std::vector<ZipEntry> entries = ReadZipDirectory(
      file.size(), [&](uint64_t offset, std::span<uint8_t> out) { file.Read(offset, out); },
      file.path().string());
  std::vector<const ZipEntry*> arrays;
  for (const ZipEntry& entry : entries) {
    if (entry.name == name + std::string(kSuffix)) return entry;
    if (entry.name.ends_with(kSuffix)) arrays.push_back(&entry);
  }
  if (arrays.size() != 1) {
    throw Error(fmt::format("holds {} arrays, none of them '{}'", arrays.size(), name),
                file.path().string());
  }
  return *arrays.front();
}

}  // namespace

ArrayFile::ArrayFile(const fs::path& path, const std::string& name)
    : file_(path), source_(path.string()) {
  if (path.extension() == kSuffix) {
    entry_.stored = true;
    entry_.size = entry_.compressed_size = file_.size();
  } else {
    entry_ = FindEntry(file_, name);
    source_ += fmt::format(", entry '{}'", Printable(entry_.name));
  }
  std::vector<uint8_t> beginning(
      std::min(entry_.compressed_size, deflated() ? kBeginning : kLongestNpyHeader));
  file_.Read(entry_.offset, beginning);
  if (deflated()) beginning = InflateBeginning(beginning, kLongestNpyHeader, source_);
  layout_ = ParseNpyHeader(beginning, source_);
  if (entry_.size < layout_.data || entry_.size - layout_.data != data_size()) {
    throw Error(fmt::format("is {} bytes, of which shape {} of '{}' needs {}", entry_.size,
                            ShapeText(layout_.shape), Printable(layout_.descr), data_size()),
                source_, "The file is truncated or damaged.");
  }
  if (deflated() && (entry_.size / kMostExpansion > entry_.compressed_size ||
                     entry_.compressed_size > 2 * (entry_.size + kBeginning))) {
    throw Error(
        fmt::format("claims {} bytes in {} deflated ones", entry_.size, entry_.compressed_size),
        source_, "The file is damaged.");
  }
}

ArrayFile ArrayFile::Inflated(const fs::path& folder) const {
  AlignedBuffer<uint8_t> raw(entry_.compressed_size);
  file_.Read(entry_.offset, raw.span());
  ArrayFile out;
  out.file_ = MakeScratchFile(folder, entry_.size, [&](std::span<uint8_t> bytes) {
    InflateEntry(entry_, raw.span(), bytes, source_);
  });
  out.entry_.stored = true;
  out.entry_.size = out.entry_.compressed_size = entry_.size;
  out.source_ = source_;
  out.layout_ = layout_;
  return out;
}

void ArrayFile::Read(uint64_t offset, std::span<uint8_t> out) const {
  if (deflated() || offset > data_size() || out.size() > data_size() - offset) {
    throw Error(fmt::format("{} bytes from byte {} of its {} values cannot be read", out.size(),
                            offset, deflated() ? "deflated" : "stored"),
                source_);
  }
  file_.Read(entry_.offset + layout_.data + offset, out);
}

}  // namespace vggt
