// SPDX-License-Identifier: Apache-2.0
#include "image/orientation.h"

#include <algorithm>
#include <string_view>

#include "core/frame_transform.h"
#include "image/avif_codec.h"
#include "image/jpeg_codec.h"
#include "image/png_codec.h"
#include "image/webp_codec.h"

namespace vggt {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kExifPrefix = "Exif\0\0"sv;
constexpr size_t kEntryBytes = 12;
constexpr uint32_t kOrientationTag = 0x0112;
// The picture is turned in squares of this many pixels a side, whose rows and columns stay in the
// cache.
constexpr int kBlock = 64;

// Reads numbers. Bytes past the end count as 0, so that damaged files give no error.
class Numbers {
 public:
  Numbers(Bytes bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  uint32_t Get(size_t at, size_t size) const {
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t place = at + (big_endian_ ? i : size - 1 - i);
      value = value << 8 | (place < bytes_.size() ? bytes_[place] : 0U);
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool big_endian_;
};

// At most `size` bytes from `at` on.
Bytes Part(Bytes bytes, size_t at, size_t size) {
  at = std::min(at, bytes.size());
  return bytes.subspan(at, std::min(size, bytes.size() - at));
}

bool StartsWith(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// The orientation in an EXIF block, which is a small TIFF file. Only its first directory is about
// the picture.
int OrientationInTiff(Bytes tiff) {
  while (StartsWith(tiff, kExifPrefix)) tiff = tiff.subspan(kExifPrefix.size());
  const bool big_endian = StartsWith(tiff, "MM\0*"sv);
  if (!big_endian && !StartsWith(tiff, "II*\0"sv)) return 1;
  const Numbers numbers(tiff, big_endian);
  const size_t directory = numbers.Get(4, 4);
  const size_t count = numbers.Get(directory, 2);
  int orientation = 1;
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > tiff.size()) break;
    if (numbers.Get(entry, 2) != kOrientationTag || numbers.Get(entry + 4, 4) != 1) continue;
    const uint32_t type = numbers.Get(entry + 2, 2);
    const size_t size = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0;  // BYTE, SHORT, LONG
    const uint32_t value = numbers.Get(entry + 8, size);
    orientation = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return orientation;
}

int OrientationInJpeg(Bytes file) {
  const Numbers numbers(file, true);
  for (size_t at = 2; at + 1 < file.size() && file[at] == 0xFF;) {
    const uint8_t marker = file[at + 1];
    if (marker == 0xFF) {  // padding before a marker
      ++at;
      continue;
    }
    at += 2;
    const bool alone = marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
    if (alone) continue;
    constexpr uint8_t kEnd = 0xD9, kScan = 0xDA, kApp1 = 0xE1;
    const size_t length = numbers.Get(at, 2);  // counts its own two bytes
    if (marker == kEnd || marker == kScan || length < 2) return 1;
    const Bytes segment = Part(file, at + 2, length - 2);
    if (marker == kApp1 && StartsWith(segment, kExifPrefix)) return OrientationInTiff(segment);
    at += length;
  }
  return 1;
}

int OrientationInPng(Bytes file) {
  const Numbers numbers(file, true);
  for (size_t at = 8; at + 8 <= file.size();) {
    const size_t length = numbers.Get(at, 4);
    const Bytes type = Part(file, at + 4, 4);
    if (StartsWith(type, "eXIf")) return OrientationInTiff(Part(file, at + 8, length));
    if (StartsWith(type, "IEND")) break;
    at += 8 + length + 4;
  }
  return 1;
}

int OrientationInWebp(Bytes file) {
  const Numbers numbers(file, false);
  for (size_t at = 12; at + 8 <= file.size();) {
    const size_t length = numbers.Get(at + 4, 4);
    if (StartsWith(Part(file, at, 4), "EXIF")) return OrientationInTiff(Part(file, at + 8, length));
    at += 8 + length + length % 2;
  }
  return 1;
}

}  // namespace

int ExifOrientation(Bytes file) {
  if (IsJpeg(file)) return OrientationInJpeg(file);
  if (IsPng(file)) return OrientationInPng(file);
  if (IsWebp(file)) return OrientationInWebp(file);
  if (IsAvif(file)) return AvifOrientation(file);
  return 1;
}

Picture Turned(Picture picture, int orientation) {
  if (orientation == 1) return picture;
  const bool on_its_side = orientation >= 5;
  Picture turned{on_its_side ? picture.height : picture.width,
                 on_its_side ? picture.width : picture.height,
                 {}};
  turned.rgb.resize(picture.rgb.size());
  // The index in the original of the first pixel, and the steps to its neighbours to the right and
  // below.
  const auto index_of = [&](double x, double y) {
    const Point p = OriginalFromTurned(orientation, picture.width, picture.height, {x, y});
    return static_cast<ptrdiff_t>(p.y) * picture.width + static_cast<ptrdiff_t>(p.x);
  };
  const ptrdiff_t first = index_of(0.5, 0.5);
  const ptrdiff_t right = turned.width > 1 ? index_of(1.5, 0.5) - first : 0;
  const ptrdiff_t below = turned.height > 1 ? index_of(0.5, 1.5) - first : 0;
  for (int top = 0; top < turned.height; top += kBlock) {
    for (int left = 0; left < turned.width; left += kBlock) {
      for (int y = top; y < std::min(top + kBlock, turned.height); ++y) {
        uint8_t* to = turned.rgb.data() + 3 * (static_cast<ptrdiff_t>(y) * turned.width + left);
        for (int x = left; x < std::min(left + kBlock, turned.width); ++x, to += 3) {
          std::memcpy(to, picture.rgb.data() + 3 * (first + x * right + y * below), 3);
        }
      }
    }
  }
  return turned;
}

}  // namespace vggt
