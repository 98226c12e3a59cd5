// SPDX-License-Identifier: Apache-2.0
#include "formats/zip.h"

#include <fmt/format.h>
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <climits>
#include <memory>

#include "core/error.h"

namespace vggt {
namespace {

void CheckSum(const ZipEntry& entry, Bytes data, const std::string& where) {
  if (libdeflate_crc32(0, data.data(), data.size()) != entry.crc) {
    throw Error("does not match its checksum", where, "The file is damaged.");
  }
}

}  // namespace

void InflateEntry(const ZipEntry& entry, Bytes raw, std::span<uint8_t> out,
                  const std::string& where) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflate(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  const auto result = libdeflate_deflate_decompress(inflate.get(), raw.data(), raw.size(),
                                                    out.data(), out.size(), nullptr);
  if (result != LIBDEFLATE_SUCCESS) {
    throw Error("cannot be inflated to the size that is announced", where, "The file is damaged.");
  }
  CheckSum(entry, out, where);
}

// This needs zlib, because libdeflate inflates everything or nothing.
std::vector<uint8_t> InflateBeginning(Bytes raw, size_t limit, const std::string& where) {
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw Error("cannot be inflated", where);
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&stream, inflateEnd);
  std::vector<uint8_t> out(limit);
  stream.next_in = const_cast<Bytef*>(raw.data());
  stream.avail_in = static_cast<uInt>(std::min<size_t>(raw.size(), UINT_MAX));
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(limit);
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
    throw Error("cannot be inflated", where, "The file is damaged.");
  }
  out.resize(limit - stream.avail_out);
  return out;
}

ZipReader::ZipReader(const std::filesystem::path& path)
    : file_(path), entries_(ReadZipDirectory(file_.bytes(), path.string())) {}

const ZipEntry* ZipReader::Find(const std::string& name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const ZipEntry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::string ZipReader::Where(const ZipEntry& entry) const {
  return fmt::format("{}, entry '{}'", file_.path().string(), Printable(entry.name));
}

Bytes ZipReader::Stored(const ZipEntry& entry) const {
  if (!entry.stored) throw Error("is compressed, expected a stored entry", Where(entry));
  return file_.bytes().subspan(entry.offset, entry.size);
}

std::vector<uint8_t> ZipReader::Read(const ZipEntry& entry, uint64_t limit) const {
  if (entry.size > limit) {
    throw Error(fmt::format("is {}, more than the {} it may be",
                            HumanBytes(static_cast<double>(entry.size)),
                            HumanBytes(static_cast<double>(limit))),
                Where(entry));
  }
  const Bytes raw = file_.bytes().subspan(entry.offset, entry.compressed_size);
  std::vector<uint8_t> data(entry.size);
  if (entry.stored) {
    std::copy(raw.begin(), raw.end(), data.begin());
    CheckSum(entry, data, Where(entry));
  } else {
    InflateEntry(entry, raw, data, Where(entry));
  }
  return data;
}

}  // namespace vggt
