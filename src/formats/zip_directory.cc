// SPDX-License-Identifier: Apache-2.0
#include "formats/zip_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

#include "core/error.h"

namespace vggt {
namespace {

constexpr uint64_t kMostEntries = 1'000'000;
constexpr uint64_t kMostDirectory = 1 << 28;  // in bytes
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint16_t kSeeZip64Short = 0xFFFF;
constexpr uint32_t kSeeZip64 = 0xFFFFFFFF;

constexpr uint32_t kLocalSignature = 0x04034B50, kEntrySignature = 0x02014B50;
constexpr uint32_t kEndSignature = 0x06054B50;
constexpr uint32_t kEnd64Signature = 0x06064B50, kLocator64Signature = 0x07064B50;
constexpr uint64_t kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr uint64_t kEntrySize = 46, kLocalSize = 30;
constexpr uint64_t kLongestComment = 0xFFFF;

[[noreturn]] void Damaged(const std::string& source, const std::string& what) {
  throw Error(what, source, "The file is truncated or damaged.");
}

// The file, and the part of it that was read last.
class Archive {
 public:
  Archive(uint64_t size, const ReadBytes& read, const std::string& source)
      : size_(size), read_(read), source_(source) {}

  uint64_t size() const { return size_; }

  // A cursor over `size` bytes from `at` on, or over as many as there are. The next call ends its
  // life.
  Cursor Look(uint64_t at, uint64_t size) {
    at = std::min(at, size_);
    piece_.resize(std::min(size, size_ - at));
    if (!piece_.empty()) read_(at, piece_);
    return {piece_, fmt::format("{}, from byte {} on", source_, at)};
  }

 private:
  uint64_t size_;
  const ReadBytes& read_;
  const std::string& source_;
  std::vector<uint8_t> piece_;
};

// Takes four bytes. Returns whether they are there and are this signature.
bool TakeSignature(Cursor& cursor, uint32_t signature) {
  return cursor.left() >= sizeof(signature) && cursor.Read<uint32_t>("a signature") == signature;
}

struct Directory {
  uint64_t count = 0, size = 0, offset = 0;
};

// The place of the record that ends the archive. Only a comment may follow it.
uint64_t FindEnd(Archive& archive, const std::string& source) {
  const uint64_t longest = std::min(archive.size(), kEndSize + kLongestComment);
  const uint64_t begin = archive.size() - longest;
  Cursor tail = archive.Look(begin, longest);
  const Bytes bytes = tail.Take(longest, "the end of the file");
  for (uint64_t size = kEndSize; size <= longest; ++size) {
    const uint64_t at = longest - size;
    if (bytes[at] != 'P') continue;
    Cursor cursor(bytes.subspan(at), source);
    if (!TakeSignature(cursor, kEndSignature)) continue;
    cursor.Take(16, "the end record");
    if (cursor.Read<uint16_t>("a comment's size") == cursor.left()) return begin + at;
  }
  Damaged(source, "is no complete zip archive");
}

// Reads the directory that the zip64 locator before `end` leads to. Returns false if there is none.
bool ReadEnd64(Archive& archive, uint64_t end, const std::string& source, Directory& directory) {
  if (end < kLocator64Size) return false;
  Cursor locator = archive.Look(end - kLocator64Size, kLocator64Size);
  if (!TakeSignature(locator, kLocator64Signature)) return false;
  locator.Take(4, "a disk");
  Cursor cursor = archive.Look(locator.Read<uint64_t>("the zip64 record's place"), kEnd64Size);
  if (!TakeSignature(cursor, kEnd64Signature)) {
    Damaged(source, "has no zip64 record where it should be");
  }
  cursor.Take(28, "the zip64 end record");  // size, versions, disks, entries on this disk
  directory.count = cursor.Read<uint64_t>("the number of entries");
  directory.size = cursor.Read<uint64_t>("the directory's size");
  directory.offset = cursor.Read<uint64_t>("the directory's place");
  return true;
}

Directory FindDirectory(Archive& archive, const std::string& source) {
  const uint64_t end = FindEnd(archive, source);
  Cursor cursor = archive.Look(end + 4, kEndSize - 4);
  const auto disk = cursor.Read<uint16_t>("a disk");
  cursor.Take(4, "the end record");
  Directory directory;
  directory.count = cursor.Read<uint16_t>("the number of entries");
  directory.size = cursor.Read<uint32_t>("the directory's size");
  directory.offset = cursor.Read<uint32_t>("the directory's place");
  const bool see64 = disk == kSeeZip64Short || directory.count == kSeeZip64Short ||
                     directory.size == kSeeZip64 || directory.offset == kSeeZip64;
  if (!(see64 && ReadEnd64(archive, end, source, directory)) && disk != 0) {
    throw Error("is an archive in several volumes", source, "Join them first.");
  }
  if (directory.count == 0) Damaged(source, "is an archive without entries");
  if (directory.count > std::min(kMostEntries, directory.size / kEntrySize)) {
    Damaged(source, fmt::format("its directory claims {} entries in {} bytes", directory.count,
                                directory.size));
  }
  if (directory.size > kMostDirectory || directory.offset > end ||
      directory.size > end - directory.offset) {
    Damaged(source, fmt::format("its directory claims {} entries in {} bytes from byte {} on",
                                directory.count, directory.size, directory.offset));
  }
  return directory;
}

// Takes from the zip64 field those values that did not fit 32 bits.
void ReadExtra(Bytes fields, ZipEntry& entry, uint64_t& local, const std::string& source) {
  Cursor extra(fields, source);
  while (extra.left() >= 4) {
    const auto id = extra.Read<uint16_t>("an extra field");
    const auto size = extra.Read<uint16_t>("an extra field's size");
    Cursor field(extra.Take(size, "an extra field"), source);
    if (id != kZip64Field) continue;
    for (uint64_t* value : {&entry.size, &entry.compressed_size, &local}) {
      if (*value == kSeeZip64) *value = field.Read<uint64_t>("a zip64 number");
    }
    return;
  }
}

bool IsSafeName(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string::npos) return false;
  const std::filesystem::path path(name);
  return std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
}

void CheckEntry(const ZipEntry& entry, uint16_t flags, uint16_t method, const std::string& source) {
  if (!IsSafeName(entry.name)) {
    throw Error(fmt::format("holds an entry of the name '{}'", Printable(entry.name)), source,
                "Such names are not trusted.");
  }
  const std::string where = fmt::format("entry '{}'", Printable(entry.name));
  if ((flags & 1) != 0) throw Error(where + " is encrypted", source);
  if (method != kStored && method != kDeflated) {
    throw Error(
        fmt::format("{} is compressed by method {}, neither stored nor deflated", where, method),
        source);
  }
  if (entry.stored && entry.size != entry.compressed_size)
    Damaged(source, where + " has two sizes");
}

// The place of the data, which follow the local header. Its length must be read there, because its
// extra field may differ from that in the directory.
uint64_t FindData(Archive& archive, uint64_t directory, const ZipEntry& entry, uint64_t local,
                  const std::string& source) {
  const std::string where = fmt::format("entry '{}'", Printable(entry.name));
  const uint64_t name_size = entry.name.size();
  Cursor cursor = archive.Look(local, kLocalSize + name_size);
  if (local > directory || !TakeSignature(cursor, kLocalSignature)) {
    Damaged(source, where + " is not where the directory says");
  }
  cursor.Take(22, "a local header");
  const bool same_size = cursor.Read<uint16_t>("a name's size") == name_size;
  const auto extra_size = cursor.Read<uint16_t>("an extra field's size");
  const Bytes name = cursor.Take(name_size, "a name");
  if (!same_size || std::memcmp(name.data(), entry.name.data(), name_size) != 0) {
    Damaged(source, where + " is not where the directory says");
  }
  const uint64_t data = local + kLocalSize + name_size + extra_size;
  if (data > directory || entry.compressed_size > directory - data) {
    Damaged(source, where + " reaches past the end of the file");
  }
  return data;
}

ZipEntry ReadEntry(Cursor& cursor, Archive& archive, uint64_t directory,
                   const std::string& source) {
  if (!TakeSignature(cursor, kEntrySignature)) Damaged(source, "its directory cannot be read");
  ZipEntry entry;
  cursor.Take(4, "versions");
  const auto flags = cursor.Read<uint16_t>("flags");
  const auto method = cursor.Read<uint16_t>("a method");
  cursor.Take(4, "a date");
  entry.stored = method == kStored;
  entry.crc = cursor.Read<uint32_t>("a checksum");
  entry.compressed_size = cursor.Read<uint32_t>("a compressed size");
  entry.size = cursor.Read<uint32_t>("a size");
  const auto name_size = cursor.Read<uint16_t>("a name's size");
  const auto extra_size = cursor.Read<uint16_t>("an extra field's size");
  const auto comment_size = cursor.Read<uint16_t>("a comment's size");
  cursor.Take(8, "a disk and attributes");
  uint64_t local = cursor.Read<uint32_t>("an entry's place");
  const Bytes name = cursor.Take(name_size, "a name");
  entry.name.assign(name.begin(), name.end());
  ReadExtra(cursor.Take(extra_size, "an extra field"), entry, local, source);
  cursor.Take(comment_size, "a comment");
  CheckEntry(entry, flags, method, source);
  entry.offset = FindData(archive, directory, entry, local, source);
  return entry;
}

void CheckUnique(const std::vector<ZipEntry>& entries, const std::string& source) {
  std::set<std::string_view> names;
  for (const ZipEntry& entry : entries) {
    if (!names.insert(entry.name).second) {
      throw Error(fmt::format("holds '{}' twice", Printable(entry.name)), source);
    }
  }
}

// Refuses entries that share bytes: with them a small file could expand without bound.
void CheckDisjoint(std::vector<ZipEntry> entries, const std::string& source) {
  std::sort(entries.begin(), entries.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].offset - entries[i - 1].offset < entries[i - 1].compressed_size) {
      Damaged(source, fmt::format("entries '{}' and '{}' overlap", Printable(entries[i - 1].name),
                                  Printable(entries[i].name)));
    }
  }
}

}  // namespace

std::vector<ZipEntry> ReadZipDirectory(uint64_t size, const ReadBytes& read,
                                       const std::string& source) {
  Archive archive(size, read, source);
  const Directory directory = FindDirectory(archive, source);
  Archive local_headers = archive;  // looked at while the directory is read
  Cursor cursor = archive.Look(directory.offset, directory.size);
  std::vector<ZipEntry> entries;
  for (uint64_t i = 0; i < directory.count; ++i) {
    entries.push_back(ReadEntry(cursor, local_headers, directory.offset, source));
  }
  CheckUnique(entries, source);
  CheckDisjoint(entries, source);
  return entries;
}

std::vector<ZipEntry> ReadZipDirectory(Bytes bytes, const std::string& source) {
  const auto read = [bytes](uint64_t offset, std::span<uint8_t> out) {
    std::memcpy(out.data(), bytes.data() + offset, out.size());
  };
  return ReadZipDirectory(bytes.size(), read, source);
}

}  // namespace vggt
