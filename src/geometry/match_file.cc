// SPDX-License-Identifier: Apache-2.0
#include "geometry/match_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string_view>

#include "core/error.h"
#include "core/file.h"
#include "formats/npy.h"
#include "formats/zip.h"
#include "geometry/picture_names.h"

namespace vggt {
namespace {

constexpr uint64_t kMostCsvBytes = uint64_t{1} << 30;
constexpr std::string_view kHeader[] = {"frame_a", "x_a", "y_a", "frame_b", "x_b", "y_b"};
constexpr size_t kFields = std::size(kHeader);

[[noreturn]] void RefuseLength(const std::string& source) {
  throw Error(fmt::format("it has more than {} pairs", kMostPointPairs), source,
              "Take a part of them.");
}

// Where a pair stands, for errors.
using PairPlace = std::function<std::string()>;

// A point of a frame, in a pair at `where`. Points on the border still lie inside.
void CheckPoint(const FrameList& frames, int64_t frame, Point point, const PairPlace& where) {
  if (frame < 0 || frame >= frames.frames) {
    throw Error(
        fmt::format("frame {}, but the export has frames 0 to {}", frame, frames.frames - 1),
        where());
  }
  if (!std::isfinite(point.x) || !std::isfinite(point.y)) {
    throw Error("a point is no finite number", where());
  }
  const FrameTransform& t = frames.transforms[static_cast<size_t>(frame)];
  if (point.x >= 0 && point.y >= 0 && point.x <= t.original_width && point.y <= t.original_height) {
    return;
  }
  throw Error(fmt::format("the point ({:.6g}, {:.6g}) lies outside the picture of frame {}, which "
                          "has {} x {} pixels",
                          point.x, point.y, frame, t.original_width, t.original_height),
              where(), "Points are pixels of the pictures as they are stored.");
}

void CheckPair(const FrameList& frames, const PointPair& pair, const PairPlace& where) {
  CheckPoint(frames, pair.frame_a, pair.a, where);
  CheckPoint(frames, pair.frame_b, pair.b, where);
  if (pair.frame_a != pair.frame_b) return;
  throw Error(fmt::format("both points are of frame {}", pair.frame_a), where());
}

// The fields of a line of CSV, with blanks around them taken away. Fields may be quoted; a quote
// inside is doubled.
std::vector<std::string> Fields(std::string_view line, const PairPlace& where) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      out.back() += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  if (quoted) throw Error("a quote has no end", where());
  for (std::string& field : out) {
    const size_t first = std::min(field.find_first_not_of(" \t\r"), field.size());
    field = field.substr(first, field.find_last_not_of(" \t\r") + 1 - first);
  }
  return out;
}

double CsvNumber(const std::string& field, const PairPlace& where) {
  double value = 0;
  const char* end = field.data() + field.size();
  const auto [stop, problem] = std::from_chars(field.data(), end, value);
  if (problem == std::errc() && stop == end) return value;
  throw Error(fmt::format("'{}' is no number", Printable(field)), where());
}

bool IsNumber(const std::string& field) {
  return !field.empty() && field.size() < 10 &&
         std::all_of(field.begin(), field.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Frames as a file writes them: numbers, or names of pictures.
class NamedFrames {
 public:
  // A frame's number, or for a name -1 - its place among all names.
  int64_t Add(const std::string& field) {
    if (IsNumber(field)) return std::stoll(field);
    const auto [entry, is_new] = places_.emplace(field, names_.size());
    if (is_new) names_.push_back(field);
    return -1 - static_cast<int64_t>(entry->second);
  }

  // Puts numbers in place of names. Throws if one is no picture of the export.
  void Resolve(const FrameList& frames, const std::string& source, std::vector<PointPair>& pairs) {
    if (names_.empty()) return;
    const auto found = FramesOf(names_, frames, source);
    for (PointPair& pair : pairs) {
      for (int64_t* frame : {&pair.frame_a, &pair.frame_b}) {
        if (*frame >= 0) continue;
        const auto place = static_cast<size_t>(-1 - *frame);
        if (!found[place]) {
          throw Error(fmt::format("'{}' is no picture of the export", Printable(names_[place])),
                      source);
        }
        *frame = *found[place];
      }
    }
  }

 private:
  std::map<std::string, size_t> places_;
  std::vector<std::string> names_;
};

std::vector<PointPair> ReadCsv(const std::string& text, const FrameList& frames,
                               const std::string& source) {
  std::vector<PointPair> pairs;
  std::vector<int64_t> lines;
  NamedFrames names;
  int64_t number = 0;
  bool has_header = false;
  for (size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    const PairPlace where = [&] { return fmt::format("{}, line {}", source, number); };
    const std::vector<std::string> fields = Fields(line, where);
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (!has_header) {
      if (!std::equal(fields.begin(), fields.end(), std::begin(kHeader), std::end(kHeader))) {
        throw Error("is no list of matches", where(),
                    "It begins with the line frame_a,x_a,y_a,frame_b,x_b,y_b, or is an .npz of "
                    "'frames' and 'points'.");
      }
      has_header = true;
      continue;
    }
    if (fields.size() != kFields) {
      throw Error(fmt::format("{} fields, expected {}", fields.size(), kFields), where());
    }
    if (std::ssize(pairs) == kMostPointPairs) RefuseLength(source);
    const auto value = [&](size_t i) { return CsvNumber(fields[i], where); };
    pairs.push_back(
        {names.Add(fields[0]), {value(1), value(2)}, names.Add(fields[3]), {value(4), value(5)}});
    lines.push_back(number);
  }
  names.Resolve(frames, source, pairs);
  for (size_t i = 0; i < pairs.size(); ++i) {
    CheckPair(frames, pairs[i], [&] { return fmt::format("{}, line {}", source, lines[i]); });
  }
  return pairs;
}

template <typename T>
double ValueAt(Bytes data, size_t i) {
  T value;
  std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

// The values [M, columns] of an array, of the numbers that NumPy makes of such lists.
std::vector<double> ReadArray(const ZipReader& zip, const char* name, int64_t columns) {
  constexpr std::pair<const char*, double (*)(Bytes, size_t)> kTypes[] = {
      {"<i8", ValueAt<int64_t>},  {"<i4", ValueAt<int32_t>},  {"<i2", ValueAt<int16_t>},
      {"|i1", ValueAt<int8_t>},   {"<u8", ValueAt<uint64_t>}, {"<u4", ValueAt<uint32_t>},
      {"<u2", ValueAt<uint16_t>}, {"|u1", ValueAt<uint8_t>},  {"<f8", ValueAt<double>},
      {"<f4", ValueAt<float>}};
  const std::string source = zip.file().path().string();
  const std::string where = fmt::format("{}, {}", source, name);
  const ZipEntry* entry = zip.Find(std::string(name) + ".npy");
  if (entry == nullptr) {
    throw Error(fmt::format("has no array '{}'", name), source,
                "An .npz of matches holds 'frames' [M, 2] and 'points' [M, 4].");
  }
  const std::vector<uint8_t> bytes =
      zip.Read(*entry, kLongestNpyHeader + uint64_t{8} * columns * kMostPointPairs);
  const NpyArray array = ParseNpy(bytes, where);
  if (array.shape.size() != 2 || array.shape[1] != columns || array.fortran_order) {
    throw Error(fmt::format("is no row-major array of {} columns", columns), where);
  }
  if (array.shape[0] > kMostPointPairs) RefuseLength(source);
  for (const auto& [descr, value_at] : kTypes) {
    if (array.descr != descr) continue;
    std::vector<double> out;
    for (size_t i = 0; i < static_cast<size_t>(NumElements(array.shape)); ++i) {
      out.push_back(value_at(array.data, i));
    }
    return out;
  }
  throw Error(fmt::format("holds values of type '{}', expected integers, float32 or float64",
                          Printable(array.descr)),
              where);
}

std::vector<PointPair> ReadNpzPairs(const std::filesystem::path& file, const FrameList& frames) {
  const ZipReader zip(file);
  const std::string source = file.string();
  const std::vector<double> numbers = ReadArray(zip, "frames", 2);
  const std::vector<double> points = ReadArray(zip, "points", 4);
  if (2 * numbers.size() != points.size()) {
    throw Error(
        fmt::format("'frames' has {} rows and 'points' {}", numbers.size() / 2, points.size() / 4),
        source);
  }
  std::vector<PointPair> pairs;
  for (size_t i = 0; i < numbers.size() / 2; ++i) {
    const PairPlace where = [&] { return fmt::format("{}, row {}", source, i); };
    for (const double frame : {numbers[2 * i], numbers[2 * i + 1]}) {
      if (frame >= 0 && frame < static_cast<double>(frames.frames) && frame == std::floor(frame)) {
        continue;
      }
      throw Error(
          fmt::format("frame {}, but the export has frames 0 to {}", frame, frames.frames - 1),
          where());
    }
    const double* at = points.data() + 4 * i;
    pairs.push_back({static_cast<int64_t>(numbers[2 * i]),
                     {at[0], at[1]},
                     static_cast<int64_t>(numbers[2 * i + 1]),
                     {at[2], at[3]}});
    CheckPair(frames, pairs.back(), where);
  }
  return pairs;
}

bool IsZip(const std::filesystem::path& file) {
  const File opened(file);
  std::array<uint8_t, 4> magic{};
  if (opened.size() < magic.size()) return false;
  opened.Read(0, magic);
  return magic == std::array<uint8_t, 4>{'P', 'K', 3, 4};
}

}  // namespace

std::vector<PointPair> ReadMatchFile(const std::filesystem::path& file, const FrameList& frames) {
  std::vector<PointPair> pairs =
      IsZip(file) ? ReadNpzPairs(file, frames)
                  : ReadCsv(ReadFile(file, kMostCsvBytes), frames, file.string());
  if (pairs.empty()) throw Error("holds no matches", file.string());
  return pairs;
}

}  // namespace vggt
