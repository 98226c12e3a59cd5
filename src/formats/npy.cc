// SPDX-License-Identifier: Apache-2.0
#include "formats/npy.h"

#include <fmt/ranges.h>

#include <charconv>
#include <string_view>

#include "core/error.h"
#include "formats/zip_writer.h"

namespace vggt {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kNpyAlignment = 64;
constexpr size_t kLongestDictionary = 10'000;  // NumPy refuses longer ones, too
constexpr size_t kMostNpyDimensions = 32;

// Bytes of one value of a plain type such as "<f4"; 0 for anything else.
size_t ItemSize(std::string_view descr) {
  constexpr std::string_view kOrders = "<>|=", kKinds = "?bBiufc";
  if (descr.size() < 3 || descr.size() > 4 || kOrders.find(descr[0]) == kOrders.npos ||
      kKinds.find(descr[1]) == kKinds.npos) {
    return 0;
  }
  size_t size = 0;
  const char* end = descr.data() + descr.size();
  return std::from_chars(descr.data() + 2, end, size).ptr == end ? size : 0;
}

// The value of `key` in the text of a Python dictionary, if it begins with `open`: what stands up
// to the next `close`. The view's data are null if there is no such value.
std::string_view ValueOf(std::string_view dictionary, const char* key, char open, char close) {
  size_t at = dictionary.find(fmt::format("'{}':", key));
  if (at == dictionary.npos) return {};
  at = dictionary.find_first_not_of(' ', dictionary.find(':', at) + 1);
  if (at == dictionary.npos || dictionary[at] != open) return {};
  const size_t end = dictionary.find(close, at + 1);
  return end == dictionary.npos ? std::string_view{} : dictionary.substr(at + 1, end - at - 1);
}

Shape ParseShape(std::string_view text, const Cursor& cursor) {
  Shape shape;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent < 0 || shape.size() == kMostNpyDimensions) {
      cursor.Fail("the header's shape is malformed");
    }
    shape.push_back(extent);
    at = next;
    while (at < end && (*at == ',' || *at == ' ' || *at == 'L')) ++at;
  }
  return shape;
}

}  // namespace

std::string NpyHeader(const std::string& descr, const Shape& shape) {
  const std::string extents = shape.size() == 1 ? fmt::format("({},)", shape[0])
                                                : fmt::format("({})", fmt::join(shape, ", "));
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", descr, extents);
  const size_t before = kMagic.size() + 2 + 2;
  const size_t size =
      (before + header.size() + 1 + kNpyAlignment - 1) / kNpyAlignment * kNpyAlignment;
  header.resize(size - before - 1, ' ');
  header += '\n';
  std::string out(kMagic);
  out += {1, 0, static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  return out + header;
}

NpyLayout ParseNpyHeader(Bytes bytes, const std::string& source) {
  Cursor cursor(bytes, source);
  const Bytes magic = cursor.Take(kMagic.size(), "the magic");
  if (!std::equal(magic.begin(), magic.end(), reinterpret_cast<const uint8_t*>(kMagic.data()))) {
    cursor.Fail("is no .npy file");
  }
  const auto major = cursor.Read<uint8_t>("the version");
  cursor.Read<uint8_t>("the version");
  if (major < 1 || major > 3) cursor.Fail(fmt::format("version {}, expected 1 to 3", major));
  const size_t header_size = major == 1 ? cursor.Read<uint16_t>("the header's size")
                                        : cursor.Read<uint32_t>("the header's size");
  if (header_size > kLongestDictionary) cursor.Fail("the header is too long");
  const Bytes header_bytes = cursor.Take(header_size, "the header");
  const std::string header(header_bytes.begin(), header_bytes.end());

  const std::string_view descr = ValueOf(header, "descr", '\'', '\'');
  const std::string_view shape = ValueOf(header, "shape", '(', ')');
  const bool fortran = ValueOf(header, "fortran_order", 'T', 'e') == "ru";
  const bool row_major = ValueOf(header, "fortran_order", 'F', 'e') == "als";
  if (descr.empty() || shape.data() == nullptr || fortran == row_major) {
    cursor.Fail("the header is malformed, or its values are records");
  }
  NpyLayout layout{std::string(descr), fortran, ParseShape(shape, cursor), cursor.position()};
  if (ItemSize(layout.descr) == 0) {
    cursor.Fail("values of type '" + Printable(layout.descr) + "' are not read");
  }
  size_t size = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(NumElements(layout.shape, source)),
                             ItemSize(layout.descr), &size)) {
    cursor.Fail("shape " + ShapeText(layout.shape) + " is too large");
  }
  return layout;
}

uint64_t NpyDataSize(const NpyLayout& layout) {
  return static_cast<uint64_t>(NumElements(layout.shape)) * ItemSize(layout.descr);
}

NpyArray ParseNpy(Bytes bytes, const std::string& source) {
  const NpyLayout layout = ParseNpyHeader(bytes, source);
  const Bytes data = bytes.subspan(layout.data);
  if (NpyDataSize(layout) != data.size()) {
    throw Error(fmt::format("shape {} of '{}' needs other than the {} bytes that follow",
                            ShapeText(layout.shape), Printable(layout.descr), data.size()),
                fmt::format("{}, byte {}", source, layout.data),
                "The file is truncated or damaged.");
  }
  return {layout.descr, layout.fortran_order, layout.shape, data};
}

void WriteNpz(const std::filesystem::path& path, const std::string& name, const std::string& descr,
              const Shape& shape, Bytes data, bool compress, AtomicOptions options) {
  const std::string header = NpyHeader(descr, shape);
  const ZipInput entries[] = {{name + ".npy", {BytesOf(header), data}}};
  WriteZip(path, entries, compress, options);
}

}  // namespace vggt
