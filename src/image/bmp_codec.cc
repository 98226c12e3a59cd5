// SPDX-License-Identifier: Apache-2.0
#include "image/bmp_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <vector>

#include "core/error.h"

namespace vggt {
namespace {

// The format: https://learn.microsoft.com/windows/win32/gdi/bitmap-storage
constexpr size_t kFileHeader = 14;
enum BmpCompression : uint32_t { kBmpPlain = 0, kBmpRle8 = 1, kBmpRle4 = 2, kBmpMasks = 3 };

[[noreturn]] void RefuseBmp(const std::string& problem, const std::string& name) {
  throw Error("damaged BMP: " + problem, name, "Copy or save the picture again.");
}

[[noreturn]] void RefuseBmpKind(const std::string& kind, const std::string& name) {
  throw Error(fmt::format("a BMP with {}, which is not read", kind), name,
              "Convert it to PNG or JPEG.");
}

// Little-endian numbers at any offset of the file; throws Error for those beyond its end.
class BmpBytes {
 public:
  BmpBytes(Bytes file, const std::string& name) : file_(file), name_(name) {}

  Bytes At(size_t offset, size_t size) const {
    if (offset > file_.size() || size > file_.size() - offset) {
      RefuseBmp("the file ends early", name_);
    }
    return file_.subspan(offset, size);
  }
  uint32_t U16(size_t offset) const {
    const Bytes b = At(offset, 2);
    return b[0] | uint32_t{b[1]} << 8;
  }
  uint32_t U32(size_t offset) const { return U16(offset) | U16(offset + 2) << 16; }
  size_t size() const { return file_.size(); }

 private:
  Bytes file_;
  const std::string& name_;
};

using BmpMasks = std::array<uint32_t, 4>;  // red, green, blue, alpha

struct BmpHeader {
  int64_t width = 0, height = 0;
  bool from_top = false;
  uint32_t bits = 0, compression = kBmpPlain;
  BmpMasks masks = {};
  size_t palette = 0, colour_bytes = 4;  // the palette's offset, and the bytes of each colour
  uint32_t colours = 0;
  size_t pixels = 0;  // the offset of the pixels
};

BmpMasks MasksOf(const BmpBytes& bytes, BmpHeader& header, size_t header_size) {
  constexpr size_t kMasks = kFileHeader + 40;
  if (header.compression == kBmpMasks) {
    BmpMasks masks = {bytes.U32(kMasks), bytes.U32(kMasks + 4), bytes.U32(kMasks + 8), 0};
    if (header_size >= 56) masks[3] = bytes.U32(kMasks + 12);
    if (header_size == 40) header.palette += 12;
    // Where masks are missing, Pillow takes the fourth byte for alpha.
    if (header.bits == 32 && masks == BmpMasks{}) masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
    return masks;
  }
  if (header.bits == 16) return {0x7C00, 0x3E0, 0x1F, 0};
  return {0xFF0000, 0xFF00, 0xFF, 0};
}

// Refuses layouts that Pillow does not read, so that none is read differently.
void CheckMasks(const BmpHeader& header, const std::string& name) {
  static constexpr BmpMasks kOf32[] = {
      {0xFF0000, 0xFF00, 0xFF, 0},          {0xFF000000, 0xFF0000, 0xFF00, 0},
      {0xFF000000, 0xFF00, 0xFF, 0},        {0xFF000000, 0xFF0000, 0xFF00, 0xFF},
      {0xFF, 0xFF00, 0xFF0000, 0xFF000000}, {0xFF0000, 0xFF00, 0xFF, 0xFF000000},
      {0xFF000000, 0xFF00, 0xFF, 0xFF0000}};
  const auto& m = header.masks;
  const bool known = header.bits == 32   ? std::ranges::count(kOf32, m) > 0
                     : header.bits == 24 ? m[0] == 0xFF0000 && m[1] == 0xFF00 && m[2] == 0xFF
                                         : (m[0] == 0xF800 && m[1] == 0x7E0 && m[2] == 0x1F) ||
                                               (m[0] == 0x7C00 && m[1] == 0x3E0 && m[2] == 0x1F);
  if (!known) RefuseBmpKind("unusual masks of colours", name);
}

void CheckKind(const BmpHeader& header, const std::string& name) {
  const uint32_t bits = header.bits;
  const bool palette = bits == 1 || bits == 4 || bits == 8;
  if (!palette && bits != 16 && bits != 24 && bits != 32) {
    RefuseBmpKind(fmt::format("{} bits a pixel", bits), name);
  }
  const bool fits = header.compression == kBmpPlain ||
                    (header.compression == kBmpMasks && !palette) ||
                    (header.compression == kBmpRle8 && bits == 8) ||
                    (header.compression == kBmpRle4 && bits == 4);
  if (!fits) {
    RefuseBmpKind(fmt::format("compression {} of {} bits", header.compression, bits), name);
  }
}

BmpHeader ReadBmpHeader(const BmpBytes& bytes, const std::string& name) {
  const size_t header_size = bytes.U32(kFileHeader);
  BmpHeader header;
  header.palette = kFileHeader + header_size;
  if (header_size == 12) {
    header.width = bytes.U16(18);
    header.height = bytes.U16(20);
    header.bits = bytes.U16(24);
    header.colour_bytes = 3;
  } else if (header_size == 40 || header_size == 52 || header_size == 56 || header_size == 64 ||
             header_size == 108 || header_size == 124) {
    header.width = bytes.U32(18);
    const auto height = static_cast<int32_t>(bytes.U32(22));
    header.from_top = height < 0;
    header.height = std::abs(int64_t{height});
    header.bits = bytes.U16(28);
    header.compression = bytes.U32(30);
    header.colours = bytes.U32(46);
  } else {
    RefuseBmpKind(fmt::format("a header of {} bytes", header_size), name);
  }
  CheckPictureSize(header.width, header.height, name);
  CheckKind(header, name);
  header.masks = MasksOf(bytes, header, header_size);
  if (header.bits > 8) {
    CheckMasks(header, name);
    header.colours = 0;
  } else if (header.colours == 0) {
    header.colours = 1U << header.bits;
  }
  if (header.colours > 65536) {
    RefuseBmpKind(fmt::format("a palette of {} colours", header.colours), name);
  }
  const size_t after_palette = header.palette + header.colours * header.colour_bytes;
  header.pixels = bytes.U32(10);
  // Some writers do not count the palette in this offset.
  if (header.pixels == 0 || (header.bits <= 8 && header.pixels == kFileHeader + header_size)) {
    header.pixels = after_palette;
  }
  return header;
}

// The RGB colour of each index. Indices beyond the palette are black, as in Pillow.
std::array<uint8_t, 768> BmpPalette(const BmpBytes& bytes, const BmpHeader& header) {
  std::array<uint8_t, 768> palette = {};
  const size_t count = std::min<size_t>(header.colours, 256);
  const Bytes stored = bytes.At(header.palette, count * header.colour_bytes);
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < 3; ++c) palette[3 * i + c] = stored[i * header.colour_bytes + 2 - c];
  }
  return palette;
}

// The bits of `mask` in `pixel`, scaled to 0 … 255; `absent` if the mask is empty.
uint8_t Channel(uint32_t pixel, uint32_t mask, uint8_t absent) {
  if (mask == 0) return absent;
  const int shift = std::countr_zero(mask);
  return static_cast<uint8_t>(((pixel & mask) >> shift) * 255 / (mask >> shift));
}

// Converts one row of pixels without palette to RGB; `rgba` is working memory of four bytes a
// pixel.
void UnpackRow(Bytes row, const BmpHeader& header, AlphaUse alpha_use, std::vector<uint8_t>& rgba,
               std::span<uint8_t> rgb) {
  const size_t bytes = header.bits / 8;
  for (size_t x = 0; x < rgb.size() / 3; ++x) {
    uint32_t pixel = 0;
    for (size_t b = 0; b < bytes; ++b) pixel |= uint32_t{row[x * bytes + b]} << (8 * b);
    for (size_t c = 0; c < 4; ++c) rgba[4 * x + c] = Channel(pixel, header.masks[c], 255);
  }
  RgbOfRgba(rgba, alpha_use, rgb);
}

// Decodes the indices of a run-length coded picture, in the row order of the file. Runs are cut at
// the end of their row.
std::vector<uint8_t> ReadRuns(const BmpBytes& bytes, const BmpHeader& header) {
  const bool four_bits = header.compression == kBmpRle4;
  const size_t width = static_cast<size_t>(header.width);
  const size_t count = width * static_cast<size_t>(header.height);
  std::vector<uint8_t> out(count, 0);
  size_t at = 0, x = 0, from = header.pixels;
  const auto put = [&](uint8_t index) {
    if (at < count) out[at++] = index;
  };
  while (at < count) {
    const Bytes code = bytes.At(from, 2);
    from += 2;
    if (code[0] > 0) {
      const size_t run = std::min<size_t>(code[0], width - std::min(x, width));
      for (size_t i = 0; i < run; ++i) {
        put(!four_bits ? code[1] : i % 2 == 0 ? code[1] >> 4 : code[1] & 15);
      }
      x += run;
    } else if (code[1] == 0) {  // end of the row
      at = std::min(count, (at + width - 1) / width * width);
      x = 0;
    } else if (code[1] == 1) {  // end of the picture
      break;
    } else if (code[1] == 2) {  // jump to another pixel
      const Bytes by = bytes.At(from, 2);
      from += 2;
      at = std::min(count, at + by[0] + by[1] * width);
      x = at % width;
    } else {
      const size_t stored = four_bits ? (code[1] + 1U) / 2 : code[1];
      const Bytes indices = bytes.At(from, stored);
      for (size_t i = 0; i < code[1]; ++i) {
        put(!four_bits ? indices[i] : i % 2 == 0 ? indices[i / 2] >> 4 : indices[i / 2] & 15);
      }
      x += code[1];
      from += stored + stored % 2;
    }
  }
  return out;
}

}  // namespace

bool IsBmp(Bytes file) { return file.size() >= 2 && file[0] == 'B' && file[1] == 'M'; }

Picture DecodeBmp(Bytes file, const std::string& name, AlphaUse alpha_use) {
  const BmpBytes bytes(file, name);
  const BmpHeader header = ReadBmpHeader(bytes, name);
  const auto width = static_cast<size_t>(header.width), height = static_cast<size_t>(header.height);
  const bool runs = header.compression == kBmpRle8 || header.compression == kBmpRle4;
  const size_t row_bytes = (width * header.bits + 31) / 32 * 4;
  // Pixels that are not there are refused before memory is allocated. Run-length coded pictures
  // cannot be checked so: two bytes may stand for 255 pixels, a jump for 255 rows.
  if (!runs) bytes.At(header.pixels, row_bytes * height);
  const auto palette = header.bits <= 8 ? BmpPalette(bytes, header) : std::array<uint8_t, 768>{};
  const std::vector<uint8_t> indices = runs ? ReadRuns(bytes, header) : std::vector<uint8_t>{};

  Picture picture = BlankPicture(header.width, header.height, name);
  std::vector<uint8_t> rgba(header.bits > 8 ? 4 * width : 0);
  for (size_t y = 0; y < height; ++y) {
    const size_t stored_row = header.from_top ? y : height - 1 - y;
    const std::span<uint8_t> rgb(picture.rgb.data() + y * 3 * width, 3 * width);
    if (header.bits > 8) {
      UnpackRow(bytes.At(header.pixels + stored_row * row_bytes, row_bytes), header, alpha_use,
                rgba, rgb);
      continue;
    }
    const Bytes row = runs ? Bytes(indices).subspan(stored_row * width, width)
                           : bytes.At(header.pixels + stored_row * row_bytes, row_bytes);
    const unsigned bits = runs ? 8 : header.bits, per_byte = 8 / bits;
    for (size_t x = 0; x < width; ++x) {
      const auto shift = (per_byte - 1 - x % per_byte) * bits;
      const size_t index = row[x / per_byte] >> shift & ((1U << bits) - 1);
      std::copy_n(palette.data() + 3 * index, 3, rgb.data() + 3 * x);
    }
  }
  return picture;
}

}  // namespace vggt
