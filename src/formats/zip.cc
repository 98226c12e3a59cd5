// SPDX-License-Identifier: Apache-2.0
#include "formats/zip.h"

#include <libdeflate.h>
#include <minizip/zip.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include "core/error.h"

namespace vggt {
namespace {

constexpr uint64_t kZip64From = 0xFFFFFFFF;
constexpr uint64_t kLocalHeader = 30, kZip64Field = 20;
constexpr uint64_t kAlignment = 64;
// Heatmaps shrink little more at higher levels, which take several times as long.
constexpr int kCompressionLevel = 1;

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

// By zlib: libdeflate inflates everything or nothing.
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

namespace {

std::vector<uint8_t> Deflate(const std::vector<uint8_t>& data) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> deflate(
      libdeflate_alloc_compressor(kCompressionLevel), libdeflate_free_compressor);
  std::vector<uint8_t> out(libdeflate_deflate_compress_bound(deflate.get(), data.size()));
  out.resize(
      libdeflate_deflate_compress(deflate.get(), data.data(), data.size(), out.data(), out.size()));
  return out;
}

// minizip counts bytes in 32 bits a call.
bool WriteAll(zipFile file, Bytes bytes) {
  constexpr size_t kPiece = 1U << 30;
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), kPiece));
    if (zipWriteInFileInZip(file, piece.data(), static_cast<unsigned>(piece.size())) != ZIP_OK) {
      return false;
    }
    bytes = bytes.subspan(piece.size());
  }
  return true;
}

// Bytes for a local header at `start` of the file, so that the data behind it are aligned.
std::vector<uint8_t> Padding(uint64_t start, size_t name_size, bool zip64) {
  constexpr uint64_t kFieldHeader = 4;
  constexpr uint16_t kFieldId = 0xD935;  // the one that others pad with, too
  const uint64_t end = start + kLocalHeader + name_size + (zip64 ? kZip64Field : 0) + kFieldHeader;
  const auto size = static_cast<uint8_t>((kAlignment - end % kAlignment) % kAlignment);
  std::vector<uint8_t> field(kFieldHeader + size);
  field[0] = kFieldId & 0xFF;
  field[1] = kFieldId >> 8;
  field[2] = size;
  return field;
}

// Adds one entry at byte `end` of the file and moves `end`; false if the file cannot take it.
bool AddEntry(zipFile file, const ZipInput& entry, bool compress, uint64_t& end) {
  uint64_t size = 0;
  uint32_t crc = 0;
  for (const Bytes& part : entry.parts) {
    size += part.size();
    crc = libdeflate_crc32(crc, part.data(), part.size());
  }
  std::vector<Bytes> parts = entry.parts;
  std::vector<uint8_t> deflated;
  if (compress) {
    std::vector<uint8_t> whole;
    whole.reserve(size);
    for (const Bytes& part : parts) whole.insert(whole.end(), part.begin(), part.end());
    deflated = Deflate(whole);
    parts = {deflated};
  }
  zip_fileinfo info = {};  // no date: the same input gives the same bytes
  info.tmz_date.tm_mday = 1;
  info.tmz_date.tm_year = 1980;
  const int method = compress ? Z_DEFLATED : 0;
  const uint64_t written_size = compress ? deflated.size() : size;
  const bool zip64 = std::max(size, written_size) >= kZip64From;
  const std::vector<uint8_t> padding = Padding(end, entry.name.size(), zip64);
  if (zipOpenNewFileInZip2_64(file, entry.name.c_str(), &info, padding.data(),
                              static_cast<uInt>(padding.size()), nullptr, 0, nullptr, method,
                              kCompressionLevel, 1, zip64 ? 1 : 0) != ZIP_OK) {
    return false;
  }
  end +=
      kLocalHeader + entry.name.size() + padding.size() + (zip64 ? kZip64Field : 0) + written_size;
  const bool written = std::all_of(parts.begin(), parts.end(),
                                   [&](const Bytes& part) { return WriteAll(file, part); });
  return zipCloseFileInZipRaw64(file, size, crc) == ZIP_OK && written;
}

}  // namespace

void WriteZip(const std::filesystem::path& path, std::span<const ZipInput> entries, bool compress) {
  AtomicFile target(path);
  errno = 0;
  zipFile file = zipOpen64(target.temporary().c_str(), APPEND_STATUS_CREATE);
  if (file == nullptr) ThrowSystemError(errno, "cannot create", path.string());
  bool ok = true;
  uint64_t end = 0;
  for (const ZipInput& entry : entries) ok = ok && AddEntry(file, entry, compress, end);
  ok = zipClose(file, nullptr) == ZIP_OK && ok;
  if (!ok) ThrowSystemError(errno != 0 ? errno : EIO, "cannot write", path.string());
  target.Commit();
}

}  // namespace vggt
