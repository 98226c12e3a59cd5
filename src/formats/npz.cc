// SPDX-License-Identifier: Apache-2.0
#include "formats/npz.h"

#include <fmt/ranges.h>

#include "core/error.h"
#include "formats/zip_writer.h"

namespace vggt {
namespace {

constexpr const char* kSuffix = ".npy";
// Deflate shrinks by at most 1032:1; nothing larger can be meant.
constexpr uint64_t kMostExpansion = 1032;

}  // namespace

void WriteNpz(const std::filesystem::path& path, const std::string& name, const std::string& descr,
              const Shape& shape, Bytes data, bool compress, AtomicOptions options) {
  const std::string header = NpyHeader(descr, shape);
  const Bytes header_bytes(reinterpret_cast<const uint8_t*>(header.data()), header.size());
  const ZipInput entries[] = {{name + kSuffix, {header_bytes, data}}};
  WriteZip(path, entries, compress, options);
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const ZipEntry& entry : zip_.entries()) {
    if (entry.name.ends_with(kSuffix)) names.push_back(entry.name.substr(0, entry.name.size() - 4));
  }
  return names;
}

NpzFile::Array NpzFile::Read(const std::string& name) const {
  const std::string source =
      fmt::format("{}, array '{}'", zip_.file().path().string(), Printable(name));
  const ZipEntry* entry = zip_.Find(name + kSuffix);
  if (entry == nullptr) {
    throw Error("is not there; the file holds: " +
                    Printable(fmt::format("{}", fmt::join(names(), ", ")), 200),
                source);
  }
  Array array;
  if (entry->stored) {
    array.npy = ParseNpy(zip_.Stored(*entry), source);
  } else {
    array.storage = zip_.Read(*entry, entry->compressed_size * kMostExpansion);
    array.npy = ParseNpy(array.storage, source);
  }
  return array;
}

}  // namespace vggt
