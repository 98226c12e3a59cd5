// SPDX-License-Identifier: Apache-2.0
#include "formats/zip_writer.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "core/parallel.h"
#include "formats/deflate.h"
#include "formats/zip_directory.h"

namespace vggt {
namespace {

constexpr uint64_t kMost32 = 0xFFFFFFFF, kMost16 = 0xFFFF;
constexpr uint64_t kEntryAlignment = 64;
constexpr size_t kPiece = 1U << 20;  // bytes that a thread takes at a time
constexpr uint16_t kPaddingField = 0xD935;
constexpr uint16_t kVersion = 20, kZip64Version = 45;  // needed to extract
constexpr uint16_t kFirstDate = 0x21;                  // 1980-01-01: no date, so that bytes repeat

// Little-endian values, one after another.
class Record {
 public:
  Record& U16(uint64_t value) { return Put(value, 2); }
  Record& U32(uint64_t value) { return Put(value, 4); }
  Record& U64(uint64_t value) { return Put(value, 8); }
  Record& Text(const std::string& text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  Record& Zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  Record& Put(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<uint8_t>(value >> 8 * i));
    return *this;
  }
  std::vector<uint8_t> bytes_;
};

struct Entry {
  std::string name;
  bool deflated = false, zip64 = false;
  uint64_t header = 0;  // where its local header stands
  uint64_t size = 0, written_size = 0;
  uint32_t crc = 0;

  // What both headers of the entry hold from "version needed" to "size"; large sizes stand in the
  // zip64 field.
  void PutCommon(bool sizes_elsewhere, Record& record) const {
    record.U16(zip64 ? kZip64Version : kVersion)
        .U16(0)
        .U16(deflated ? 8 : 0)
        .U16(0)
        .U16(kFirstDate);
    record.U32(crc);
    record.U32(sizes_elsewhere ? kMost32 : written_size).U32(sizes_elsewhere ? kMost32 : size);
  }
};

// The local header, so long that the data behind it are aligned.
std::vector<uint8_t> LocalHeader(const Entry& entry) {
  constexpr uint64_t kFixed = 30, kFieldHeader = 4, kZip64Size = 16;
  const uint64_t zip64 = entry.zip64 ? kFieldHeader + kZip64Size : 0;
  const uint64_t end = entry.header + kFixed + entry.name.size() + zip64 + kFieldHeader;
  const uint64_t padding = (kEntryAlignment - end % kEntryAlignment) % kEntryAlignment;
  Record record;
  record.U32(0x04034B50);
  entry.PutCommon(entry.zip64, record);
  record.U16(entry.name.size()).U16(zip64 + kFieldHeader + padding).Text(entry.name);
  if (entry.zip64) record.U16(kZip64Field).U16(kZip64Size).U64(entry.size).U64(entry.written_size);
  record.U16(kPaddingField).U16(padding).Zeros(padding);
  return record.bytes();
}

void PutDirectoryHeader(const Entry& entry, Record& record) {
  const bool far = entry.header >= kMost32;
  const uint64_t field = (entry.zip64 ? 16 : 0) + (far ? 8 : 0);
  record.U32(0x02014B50).U16(entry.zip64 || far ? kZip64Version : kVersion);
  entry.PutCommon(entry.zip64, record);
  record.U16(entry.name.size()).U16(field > 0 ? 4 + field : 0).Zeros(10);
  record.U32(far ? kMost32 : entry.header).Text(entry.name);
  if (field > 0) record.U16(kZip64Field).U16(field);
  if (entry.zip64) record.U64(entry.size).U64(entry.written_size);
  if (far) record.U64(entry.header);
}

// The directory at byte `start` and the end of the archive.
std::vector<uint8_t> Directory(std::span<const Entry> entries, uint64_t start) {
  Record record;
  for (const Entry& entry : entries) PutDirectoryHeader(entry, record);
  const uint64_t count = entries.size(), size = record.bytes().size();
  if (count >= kMost16 || size >= kMost32 || start >= kMost32) {
    record.U32(0x06064B50).U64(44).U16(kZip64Version).U16(kZip64Version).U32(0).U32(0);
    record.U64(count).U64(count).U64(size).U64(start);
    record.U32(0x07064B50).U32(0).U64(start + size).U32(1);
  }
  const uint64_t short_count = std::min(count, kMost16);
  record.U32(0x06054B50).U16(0).U16(0).U16(short_count).U16(short_count);
  record.U32(std::min(size, kMost32)).U32(std::min(start, kMost32)).U16(0);
  return record.bytes();
}

// The bytes [begin, begin + size) of the parts together; gathered in `gathered` if they lie in
// several.
Bytes PieceOf(std::span<const Bytes> parts, uint64_t begin, size_t size,
              std::vector<uint8_t>& gathered) {
  for (const Bytes& part : parts) {
    if (begin >= part.size()) {
      begin -= part.size();
      continue;
    }
    const Bytes piece = part.subspan(begin, std::min(size - gathered.size(), part.size() - begin));
    if (piece.size() == size) return piece;
    gathered.insert(gathered.end(), piece.begin(), piece.end());
    if (gathered.size() == size) break;
    begin = 0;
  }
  return gathered;
}

// A piece on its way to the file.
struct Made {
  bool ready = false;
  size_t size = 0;
  uint32_t crc = 0;
  std::unique_ptr<uint8_t[]> buffer;
  Bytes bytes;  // in `buffer`, or those of the input
};

// Writes the data of an entry. Pieces are made on all threads; whoever has made the next one writes
// it, and those that follow if they are ready, while the others go on.
void WriteData(AtomicFile& file, const ZipInput& input, Entry& entry) {
  const uint64_t pieces = std::max<uint64_t>((entry.size + kPiece - 1) / kPiece, 1);
  std::vector<Made> made(pieces);
  uint64_t next = 0;
  bool writing = false;
  std::mutex mutex;
  ParallelInOrder(pieces, [&](size_t i) {
    const uint64_t begin = i * kPiece;
    std::vector<uint8_t> gathered;
    const Bytes piece =
        PieceOf(input.parts, begin,
                static_cast<size_t>(std::min<uint64_t>(kPiece, entry.size - begin)), gathered);
    const uint32_t crc = libdeflate_crc32(0, piece.data(), piece.size());
    Made mine{true, piece.size(), crc, nullptr, piece};
    if (entry.deflated || !gathered.empty()) {
      mine.buffer = std::make_unique_for_overwrite<uint8_t[]>(DeflateBound(piece.size()));
      uint8_t* to = mine.buffer.get();
      mine.bytes = {to, entry.deflated ? DeflatePiece(piece, i + 1 == pieces, to) : piece.size()};
      if (!entry.deflated) std::copy(piece.begin(), piece.end(), to);
    }
    std::unique_lock lock(mutex);
    made[i] = std::move(mine);
    if (writing) return;
    writing = true;
    for (; next < pieces && made[next].ready; ++next) {
      Made& first = made[next];
      lock.unlock();
      file.Write(first.bytes);
      entry.crc = next == 0 ? first.crc
                            : static_cast<uint32_t>(crc32_combine(
                                  entry.crc, first.crc, static_cast<z_off_t>(first.size)));
      entry.written_size += first.bytes.size();
      first.buffer.reset();
      lock.lock();
    }
    writing = false;
  });
}

}  // namespace

void WriteZip(const std::filesystem::path& path, std::span<const ZipInput> entries, bool compress,
              AtomicOptions options) {
  AtomicFile file(path, options);
  std::vector<Entry> written;
  uint64_t end = 0;
  for (const ZipInput& input : entries) {
    Entry entry;
    entry.name = input.name;
    entry.deflated = compress;
    entry.header = end;
    for (const Bytes& part : input.parts) entry.size += part.size();
    entry.zip64 = DeflateBound(entry.size) >= kMost32;
    const size_t header_size = LocalHeader(entry).size();
    file.Write(std::vector<uint8_t>(header_size));
    WriteData(file, input, entry);
    file.WriteAt(end, LocalHeader(entry));  // now that checksum and sizes are known
    end += header_size + entry.written_size;
    written.push_back(std::move(entry));
  }
  file.Write(Directory(written, end));
  file.Commit();
}

}  // namespace vggt
