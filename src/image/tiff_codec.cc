// SPDX-License-Identifier: Apache-2.0
#include "image/tiff_codec.h"

#include <fmt/format.h>

#include <string_view>

#include "core/error.h"
#include "image/capabilities.h"
#include "image/orientation.h"
#ifdef VGGT_HAS_TIFF
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>
#endif

namespace vggt {

bool IsTiff(Bytes file) {
  using namespace std::string_view_literals;
  if (file.size() < 4) return false;
  const std::string_view start(reinterpret_cast<const char*>(file.data()), 4);
  // The last two are BigTIFF.
  return start == "II*\0"sv || start == "MM\0*"sv || start == "II+\0"sv || start == "MM\0+"sv;
}

#ifdef VGGT_HAS_TIFF
const bool kReadsTiff = true;

namespace {

// The most that libtiff may allocate at once, for tables of strips or the bytes of a strip.
constexpr tmsize_t kMostTableBytes = tmsize_t{1} << 30;
// No compression has a higher ratio, except for blank rows of a fax.
constexpr int64_t kMostBytesPerByte = 1 << 16;
constexpr int kMostSamples = 8;
constexpr uint64_t kMostBandBytes = uint64_t{4} * kMostPixels;

struct TiffSource {
  Bytes file;
  uint64_t position = 0;
  bool decoding = false;
  bool read_past_end = false;
  bool alpha_unnamed = false;  // some samples are neither colours nor named by a tag
  std::string problem;         // the first that libtiff reported
};

TiffSource& SourceOf(void* source) { return *static_cast<TiffSource*>(source); }

tmsize_t OnTiffRead(thandle_t handle, void* to, tmsize_t size) {
  TiffSource& source = SourceOf(handle);
  const uint64_t end = source.file.size(), begin = std::min(source.position, end);
  const uint64_t n = std::min(end - begin, static_cast<uint64_t>(std::max(size, tmsize_t{0})));
  if (n > 0) std::memcpy(to, source.file.data() + begin, n);
  source.position += n;
  source.read_past_end |= static_cast<tmsize_t>(n) < size;
  return static_cast<tmsize_t>(n);
}

tmsize_t OnTiffWrite(thandle_t, void*, tmsize_t) { return 0; }

toff_t OnTiffSeek(thandle_t handle, toff_t offset, int whence) {
  TiffSource& source = SourceOf(handle);
  if (whence == SEEK_CUR) offset += source.position;
  if (whence == SEEK_END) offset += source.file.size();
  return source.position = offset;
}

int OnTiffClose(thandle_t) { return 0; }
toff_t OnTiffSize(thandle_t handle) { return SourceOf(handle).file.size(); }

void KeepProblem(TiffSource& source, const char* format, va_list arguments) {
  if (!source.problem.empty()) return;
  char text[200] = "";
  std::vsnprintf(text, sizeof(text), format, arguments);
  source.problem = Printable(text);
}

int OnTiffError(TIFF*, void* source, const char*, const char* format, va_list arguments) {
  KeepProblem(SourceOf(source), format, arguments);
  return 1;
}

// Makes problems of the warnings after which libtiff and libjpeg go on with invented pixels.
int OnTiffWarning(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  TiffSource& source = SourceOf(user);
  if (!source.decoding) {
    // libtiff reports this where no tag names the samples after the colours.
    source.alpha_unnamed |=
        std::strstr(format, "Defining non-color channels as ExtraSamples") != nullptr;
    return 1;
  }
  TiffSource warning;
  KeepProblem(warning, format, arguments);
  for (const char* word : {"Premature", "premature", "Corrupt"}) {
    if (source.problem.empty() && warning.problem.find(word) != std::string::npos) {
      source.problem = warning.problem;
    }
  }
  return 1;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};
using TiffPointer = std::unique_ptr<TIFF, CloseTiff>;

[[noreturn]] void RefuseTiff(const TiffSource& source, const std::string& name) {
  throw Error("damaged TIFF: " + (source.problem.empty() ? "the file ends early" : source.problem),
              name, "Copy or save the picture again.");
}

[[noreturn]] void RefuseKind(const std::string& kind, const std::string& name) {
  throw Error(fmt::format("a TIFF with {}, which is not read", kind), name,
              "Convert it to PNG or an 8-bit RGB TIFF.");
}

TiffPointer OpenTiff(TiffSource& source, const std::string& name) {
  const std::unique_ptr<TIFFOpenOptions, CloseTiff> options(TIFFOpenOptionsAlloc());
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMostTableBytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), OnTiffError, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), OnTiffWarning, &source);
  // The mode: read (r), without mapping (m), and cut up large strips that are not compressed (C).
  TiffPointer tiff(TIFFClientOpenExt("TIFF", "rmC", &source, OnTiffRead, OnTiffWrite, OnTiffSeek,
                                     OnTiffClose, OnTiffSize, nullptr, nullptr, options.get()));
  if (!tiff) RefuseTiff(source, name);
  return tiff;
}

uint16_t Tag16(TIFF* tiff, uint32_t tag) {
  uint16_t value = 0;
  TIFFGetFieldDefaulted(tiff, tag, &value);
  return value;
}

enum class Colours { kGrey, kPalette, kRgb, kCmyk };
enum class Access { kRows, kStrips, kTiles };
enum class Alpha { kNone, kStraight, kPremultiplied };

struct TiffLayout {
  uint32_t width = 0, height = 0;
  int bits = 0, samples = 0;
  bool planes = false;  // each sample has a plane of its own
  Colours colours = Colours::kRgb;
  Alpha alpha = Alpha::kNone;  // of RGB
  bool inverted = false;       // grey whose 0 is white
  Access access = Access::kRows;
  uint32_t block_width = 0, block_height = 0;  // read at a time
  int samples_of_block() const { return planes ? 1 : samples; }
};

void CheckCompression(TIFF* tiff, const std::string& name) {
  static constexpr uint16_t kRead[] = {
      COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
      COMPRESSION_LZW,  COMPRESSION_JPEG,     COMPRESSION_PACKBITS,  COMPRESSION_ADOBE_DEFLATE,
      COMPRESSION_LZMA, COMPRESSION_DEFLATE,  COMPRESSION_ZSTD,      COMPRESSION_WEBP};
  const uint16_t compression = Tag16(tiff, TIFFTAG_COMPRESSION);
  if (std::ranges::count(kRead, compression) == 0 || TIFFIsCODECConfigured(compression) == 0) {
    RefuseKind(fmt::format("compression {}", compression), name);
  }
}

Alpha AlphaOf(TIFF* tiff, const TiffSource& source) {
  // Pillow takes a sample that no tag names for alpha.
  if (source.alpha_unnamed) return Alpha::kStraight;
  uint16_t count = 0;
  uint16_t* kinds = nullptr;
  if (TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) == 0 || count == 0) {
    return Alpha::kNone;
  }
  return kinds[0] == EXTRASAMPLE_ASSOCALPHA   ? Alpha::kPremultiplied
         : kinds[0] == EXTRASAMPLE_UNASSALPHA ? Alpha::kStraight
                                              : Alpha::kNone;
}

void ReadColours(TIFF* tiff, const TiffSource& source, TiffLayout& layout,
                 const std::string& name) {
  const uint16_t photometric = Tag16(tiff, TIFFTAG_PHOTOMETRIC);
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
      layout.colours = Colours::kGrey;
      layout.inverted = photometric == PHOTOMETRIC_MINISWHITE;
      break;
    case PHOTOMETRIC_PALETTE:
      layout.colours = Colours::kPalette;
      break;
    case PHOTOMETRIC_RGB:
      layout.colours = Colours::kRgb;
      layout.alpha = AlphaOf(tiff, source);
      break;
    case PHOTOMETRIC_SEPARATED:
      layout.colours = Colours::kCmyk;
      break;
    case PHOTOMETRIC_YCBCR:
      if (Tag16(tiff, TIFFTAG_COMPRESSION) == COMPRESSION_JPEG && layout.samples == 3 &&
          !layout.planes) {
        // libjpeg converts them to RGB.
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        layout.colours = Colours::kRgb;
        break;
      }
      RefuseKind("YCbCr colours that are not JPEG", name);
    default:
      RefuseKind(fmt::format("colours of kind {}", photometric), name);
  }
}

// Determines the blocks in which the picture is read: tiles; single rows; or, if samples are in
// planes, whole strips, since the planes of one row are far apart in the file. The last blocks may
// be partly outside the picture.
void ReadBlocks(TIFF* tiff, TiffLayout& layout, const std::string& name) {
  layout.block_width = layout.width;
  layout.block_height = 1;
  if (TIFFIsTiled(tiff) != 0) {
    layout.access = Access::kTiles;
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &layout.block_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &layout.block_height);
    CheckPictureSize(layout.block_width, layout.block_height, name);
  } else if (layout.planes) {
    layout.access = Access::kStrips;
    uint32_t rows = 0;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows);
    layout.block_height = rows == 0 ? layout.height : std::min(rows, layout.height);
  }
  // The samples of a row of blocks, which are in memory at once.
  const uint64_t band = uint64_t{std::max(layout.width, layout.block_width)} * layout.block_height *
                        static_cast<uint64_t>(layout.samples);
  if (band > kMostBandBytes) RefuseKind("strips or tiles that are too large", name);
}

TiffLayout ReadLayout(TIFF* tiff, const TiffSource& source, const std::string& name) {
  TiffLayout layout;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
  CheckPictureSize(layout.width, layout.height, name);
  CheckCompression(tiff, name);
  layout.bits = Tag16(tiff, TIFFTAG_BITSPERSAMPLE);
  layout.samples = Tag16(tiff, TIFFTAG_SAMPLESPERPIXEL);
  layout.planes = layout.samples > 1 && Tag16(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  ReadColours(tiff, source, layout, name);
  const uint16_t format = Tag16(tiff, TIFFTAG_SAMPLEFORMAT);
  if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID) {
    RefuseKind("signed or floating-point numbers", name);
  }
  const bool small = layout.bits == 1 || layout.bits == 2 || layout.bits == 4;
  const bool sixteen = layout.bits == 16 && layout.colours != Colours::kPalette;
  if (!(small && layout.samples == 1) && layout.bits != 8 && !sixteen) {
    RefuseKind(fmt::format("{} × {} bits", layout.samples, layout.bits), name);
  }
  const int needed = layout.colours == Colours::kCmyk  ? 4
                     : layout.colours == Colours::kRgb ? 3 + (layout.alpha != Alpha::kNone ? 1 : 0)
                                                       : 1;
  if (layout.samples < needed || layout.samples > kMostSamples) {
    RefuseKind(fmt::format("{} samples a pixel", layout.samples), name);
  }
  ReadBlocks(tiff, layout, name);
  return layout;
}

// Converts one row of stored samples to 8 bits each. Greys of fewer bits are scaled to 0 … 255.
void UnpackSamples(Bytes stored, int bits, bool grey, std::span<uint8_t> to) {
  if (bits == 8) {
    std::copy_n(stored.begin(), to.size(), to.begin());
  } else if (bits == 16) {
    for (size_t i = 0; i < to.size(); ++i) {
      uint16_t value = 0;  // libtiff has put the bytes in this machine's order
      std::memcpy(&value, stored.data() + 2 * i, 2);
      to[i] = static_cast<uint8_t>(grey ? (value + 128U) / 257 : value >> 8);
    }
  } else {
    const unsigned most = (1U << bits) - 1;
    const size_t per_byte = 8U / static_cast<unsigned>(bits);
    for (size_t i = 0; i < to.size(); ++i) {
      const auto shift = (per_byte - 1 - i % per_byte) * static_cast<unsigned>(bits);
      const unsigned value = stored[i / per_byte] >> shift & most;
      to[i] = static_cast<uint8_t>(grey ? value * 255 / most : value);
    }
  }
}

class TiffDecoder {
 public:
  TiffDecoder(TIFF* tiff, TiffSource& source, const std::string& name, AlphaUse alpha_use)
      : tiff_(tiff),
        source_(source),
        name_(name),
        alpha_use_(alpha_use),
        layout_(ReadLayout(tiff, source, name)) {
    row_bytes_ = (static_cast<size_t>(layout_.block_width) * layout_.samples_of_block() *
                      static_cast<size_t>(layout_.bits) +
                  7) /
                 8;
    const size_t least = row_bytes_ * layout_.height * (layout_.planes ? layout_.samples : 1);
    if (layout_.access != Access::kTiles && least / kMostBytesPerByte > source.file.size()) {
      RefuseTiff(source, name);
    }
    ReadPalette();
  }

  Picture Decode() {
    Picture picture = BlankPicture(layout_.width, layout_.height, name_);
    block_.resize(row_bytes_ * layout_.block_height);
    const size_t row_samples = size_t{layout_.width} * layout_.samples;
    band_.resize(row_samples * layout_.block_height);
    source_.decoding = true;
    for (uint32_t top = 0; top < layout_.height; top += layout_.block_height) {
      const uint32_t rows = std::min(layout_.block_height, layout_.height - top);
      for (int plane = 0; plane < (layout_.planes ? layout_.samples : 1); ++plane) {
        for (uint32_t left = 0; left < layout_.width; left += layout_.block_width) {
          ReadBlock(left, top, rows, plane);
          KeepBlock(left, rows, plane);
        }
      }
      for (size_t y = 0; y < rows; ++y) {
        ToRgb(std::span(band_).subspan(y * row_samples, row_samples),
              std::span(picture.rgb).subspan((top + y) * 3 * layout_.width, 3UL * layout_.width));
      }
    }
    const int orientation = Tag16(tiff_, TIFFTAG_ORIENTATION);
    return Turned(std::move(picture), orientation >= 1 && orientation <= 8 ? orientation : 1);
  }

 private:
  void ReadPalette() {
    if (layout_.colours != Colours::kPalette) return;
    uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
    if (TIFFGetField(tiff_, TIFFTAG_COLORMAP, &red, &green, &blue) == 0) {
      RefuseKind("a palette that is missing", name_);
    }
    palette_.resize(3 * 256);
    for (size_t i = 0; i < size_t{1} << layout_.bits; ++i) {
      palette_[3 * i] = static_cast<uint8_t>(red[i] >> 8);
      palette_[3 * i + 1] = static_cast<uint8_t>(green[i] >> 8);
      palette_[3 * i + 2] = static_cast<uint8_t>(blue[i] >> 8);
    }
  }

  void ReadBlock(uint32_t left, uint32_t top, uint32_t rows, int plane) {
    const auto sample = static_cast<uint16_t>(plane);
    const bool tiles = layout_.access == Access::kTiles, by_rows = layout_.access == Access::kRows;
    const size_t wanted = row_bytes_ * (tiles ? layout_.block_height : rows);
    const tmsize_t promised = tiles     ? TIFFTileSize(tiff_)
                              : by_rows ? TIFFScanlineSize(tiff_)
                                        : TIFFVStripSize(tiff_, rows);
    if (promised != static_cast<tmsize_t>(wanted)) {
      source_.problem = "its rows have an unexpected size";
      RefuseTiff(source_, name_);
    }
    tmsize_t read = promised;
    if (by_rows) {
      if (TIFFReadScanline(tiff_, block_.data(), top, 0) != 1) read = -1;
    } else if (tiles) {
      read = TIFFReadEncodedTile(tiff_, TIFFComputeTile(tiff_, left, top, 0, sample), block_.data(),
                                 promised);
    } else {
      read = TIFFReadEncodedStrip(tiff_, TIFFComputeStrip(tiff_, top, sample), block_.data(),
                                  promised);
    }
    if (read != promised || !source_.problem.empty()) RefuseTiff(source_, name_);
  }

  // Copies the block's samples to their places in the band of rows.
  void KeepBlock(uint32_t left, uint32_t rows, int plane) {
    const size_t width = std::min(layout_.block_width, layout_.width - left);
    const auto samples = static_cast<size_t>(layout_.samples);
    const bool grey = layout_.colours == Colours::kGrey;
    std::vector<uint8_t> apart(layout_.planes ? width : 0);
    for (size_t y = 0; y < rows; ++y) {
      const Bytes stored = Bytes(block_).subspan(y * row_bytes_, row_bytes_);
      uint8_t* to = band_.data() + (y * layout_.width + left) * samples;
      if (layout_.planes) {
        UnpackSamples(stored, layout_.bits, grey, apart);
        for (size_t x = 0; x < width; ++x) to[x * samples + static_cast<size_t>(plane)] = apart[x];
      } else {
        UnpackSamples(stored, layout_.bits, grey, {to, width * samples});
      }
    }
  }

  void ToRgb(std::span<uint8_t> samples, std::span<uint8_t> rgb) {
    const auto step = static_cast<size_t>(layout_.samples);
    const size_t width = layout_.width;
    switch (layout_.colours) {
      case Colours::kGrey:
        for (size_t i = 0; i < rgb.size(); ++i) {
          const uint8_t grey = samples[i / 3 * step];
          rgb[i] = layout_.inverted ? static_cast<uint8_t>(255 - grey) : grey;
        }
        break;
      case Colours::kPalette:
        for (size_t i = 0; i < rgb.size(); ++i) {
          rgb[i] = palette_[size_t{3} * samples[i / 3 * step] + i % 3];
        }
        break;
      case Colours::kRgb:
        if (layout_.alpha == Alpha::kNone) {
          for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = samples[i / 3 * step + i % 3];
          break;
        }
        Gather(samples, step, width);
        if (layout_.alpha == Alpha::kPremultiplied) Unpremultiply(four_);
        RgbOfRgba(four_, alpha_use_, rgb);
        break;
      case Colours::kCmyk:
        Gather(samples, step, width);
        for (uint8_t& ink : four_) ink = static_cast<uint8_t>(255 - ink);
        InvertedCmykToRgb(four_, rgb);
        break;
    }
  }

  // Copies the first four samples of each pixel to four_.
  void Gather(std::span<const uint8_t> samples, size_t step, size_t width) {
    four_.resize(4 * width);
    for (size_t i = 0; i < four_.size(); ++i) four_[i] = samples[i / 4 * step + i % 4];
  }

  TIFF* tiff_;
  TiffSource& source_;
  const std::string& name_;
  AlphaUse alpha_use_;
  TiffLayout layout_;
  size_t row_bytes_ = 0;  // of a block
  std::vector<uint8_t> palette_, block_, band_, four_;
};

void RefuseRaw(TIFF* tiff, Bytes file, const std::string& name) {
  const uint8_t* version = nullptr;
  const bool dng = TIFFGetField(tiff, TIFFTAG_DNGVERSION, &version) != 0;
  const bool canon = file.size() >= 10 && file[8] == 'C' && file[9] == 'R';
  if (dng || canon) {
    throw Error("is a camera raw file, which is not read", name, "Convert it to PNG or JPEG.");
  }
}

}  // namespace

Picture DecodeTiff(Bytes file, const std::string& name, AlphaUse alpha_use) {
  TiffSource source;
  source.file = file;
  const TiffPointer tiff = OpenTiff(source, name);
  RefuseRaw(tiff.get(), file, name);
  // Complaints about damaged tags that the pixels do not need are forgotten. But libtiff also goes
  // on without tags that are cut off, such as a palette: then the file ends early.
  source.problem.clear();
  if (source.read_past_end) RefuseTiff(source, name);
  return TiffDecoder(tiff.get(), source, name, alpha_use).Decode();
}
#else
const bool kReadsTiff = false;

Picture DecodeTiff(Bytes, const std::string& name, AlphaUse) { RefuseMissing("TIFF", name); }
#endif

}  // namespace vggt
