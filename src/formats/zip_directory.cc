// SPDX-License-Identifier: Apache-2.0
#include "formats/zip_directory.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

#include "core/error.h"

namespace vggt {
namespace {

constexpr uint64_t kMostEntries = 1'000'000;
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint16_t kZip64Field = 1;  // the id of an extra field
constexpr uint16_t kSeeZip64Short = 0xFFFF;
constexpr uint32_t kSeeZip64 = 0xFFFFFFFF;

constexpr uint32_t kLocalSignature = 0x04034B50, kEntrySignature = 0x02014B50;
constexpr uint32_t kEndSignature = 0x06054B50;
constexpr uint32_t kEnd64Signature = 0x06064B50, kLocator64Signature = 0x07064B50;
constexpr uint64_t kEndSize = 22, kLocator64Size = 20, kEntrySize = 46;
constexpr uint64_t kLongestComment = 0xFFFF;

[[noreturn]] void Damaged(const std::string& source, const std::string& what) {
  throw Error(what, source, "The file is truncated or damaged.");
}

// A cursor at byte `at`, which need not lie in the file.
Cursor CursorAt(Bytes bytes, uint64_t at, const std::string& source) {
  Cursor cursor(bytes, source);
  cursor.Take(at, "what lies before");
  return cursor;
}

// Takes a signature; false if it is another or the file ends before it.
bool TakeSignature(Cursor& cursor, uint32_t signature) {
  return cursor.left() >= sizeof(signature) && cursor.Read<uint32_t>("a signature") == signature;
}

struct Directory {
  uint64_t count = 0, size = 0, offset = 0;
};

// Where the record at the very end begins.
uint64_t FindEnd(Bytes bytes, const std::string& source) {
  const uint64_t longest = std::min<uint64_t>(bytes.size(), kEndSize + kLongestComment);
  for (uint64_t size = kEndSize; size <= longest; ++size) {
    const uint64_t at = bytes.size() - size;
    if (bytes[at] != 'P') continue;
    Cursor cursor = CursorAt(bytes, at, source);
    if (!TakeSignature(cursor, kEndSignature)) continue;
    cursor.Take(16, "the end record");
    if (cursor.Read<uint16_t>("a comment's size") == cursor.left()) return at;
  }
  Damaged(source, "is no complete zip archive");
}

Directory ReadEnd64(Bytes bytes, uint64_t end, const std::string& source) {
  Cursor locator = CursorAt(bytes, end - kLocator64Size + 8, source);  // signature and disk
  const auto at = locator.Read<uint64_t>("the zip64 record's place");
  Cursor cursor = CursorAt(bytes, std::min<uint64_t>(at, bytes.size()), source);
  if (!TakeSignature(cursor, kEnd64Signature)) {
    Damaged(source, "has no zip64 record where it should be");
  }
  cursor.Take(28, "the zip64 end record");  // size, versions, disks, entries on this disk
  Directory directory;
  directory.count = cursor.Read<uint64_t>("the number of entries");
  directory.size = cursor.Read<uint64_t>("the directory's size");
  directory.offset = cursor.Read<uint64_t>("the directory's place");
  return directory;
}

bool HasLocator64(Bytes bytes, uint64_t end, const std::string& source) {
  if (end < kLocator64Size) return false;
  Cursor cursor = CursorAt(bytes, end - kLocator64Size, source);
  return TakeSignature(cursor, kLocator64Signature);
}

Directory FindDirectory(Bytes bytes, const std::string& source) {
  const uint64_t end = FindEnd(bytes, source);
  Cursor cursor = CursorAt(bytes, end + 4, source);
  const auto disk = cursor.Read<uint16_t>("a disk");
  cursor.Take(4, "the end record");
  Directory directory;
  directory.count = cursor.Read<uint16_t>("the number of entries");
  directory.size = cursor.Read<uint32_t>("the directory's size");
  directory.offset = cursor.Read<uint32_t>("the directory's place");
  const bool see64 = disk == kSeeZip64Short || directory.count == kSeeZip64Short ||
                     directory.size == kSeeZip64 || directory.offset == kSeeZip64;
  if (see64 && HasLocator64(bytes, end, source)) {
    directory = ReadEnd64(bytes, end, source);
  } else if (disk != 0) {
    throw Error("is an archive in several volumes", source, "Join them first.");
  }
  if (directory.count == 0) Damaged(source, "is an archive without entries");
  if (directory.count > std::min(kMostEntries, directory.size / kEntrySize)) {
    Damaged(source, fmt::format("its directory claims {} entries in {} bytes", directory.count,
                                directory.size));
  }
  if (directory.offset > end || directory.size > end - directory.offset) {
    Damaged(source, fmt::format("its directory claims {} entries in {} bytes from byte {} on",
                                directory.count, directory.size, directory.offset));
  }
  return directory;
}

// Replaces what did not fit 32 bits by its value in the zip64 field.
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

// The data begin behind the local header, whose extra field may differ from the directory's.
uint64_t FindData(Bytes before_directory, const ZipEntry& entry, uint64_t local,
                  const std::string& source) {
  const std::string where = fmt::format("entry '{}'", Printable(entry.name));
  if (local > before_directory.size()) {
    Damaged(source, where + " is not where the directory says");
  }
  Cursor cursor = CursorAt(before_directory, local, source);
  if (!TakeSignature(cursor, kLocalSignature)) {
    Damaged(source, where + " is not where the directory says");
  }
  cursor.Take(22, "a local header");
  const auto name_size = cursor.Read<uint16_t>("a name's size");
  const auto extra_size = cursor.Read<uint16_t>("an extra field's size");
  const Bytes name = cursor.Take(name_size, "a name");
  if (!std::equal(name.begin(), name.end(), entry.name.begin(), entry.name.end(),
                  [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); })) {
    Damaged(source, where + " is not where the directory says");
  }
  cursor.Take(extra_size, "an extra field");
  if (entry.compressed_size > cursor.left()) {
    Damaged(source, where + " reaches past the end of the file");
  }
  return cursor.position();
}

ZipEntry ReadEntry(Cursor& cursor, Bytes before_directory, const std::string& source) {
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
  entry.offset = FindData(before_directory, entry, local, source);
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

// Entries that share bytes make small files expand without bound.
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

std::vector<ZipEntry> ReadZipDirectory(Bytes bytes, const std::string& source) {
  const Directory directory = FindDirectory(bytes, source);
  Cursor cursor =
      CursorAt(bytes.first(directory.offset + directory.size), directory.offset, source);
  std::vector<ZipEntry> entries;
  for (uint64_t i = 0; i < directory.count; ++i) {
    entries.push_back(ReadEntry(cursor, bytes.first(directory.offset), source));
  }
  CheckUnique(entries, source);
  CheckDisjoint(entries, source);
  return entries;
}

}  // namespace vggt
