// SPDX-License-Identifier: Apache-2.0
#include "image/png_codec.h"

#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <utility>
#include <vector>

#include "core/error.h"

namespace vggt {
namespace {

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Bytes left;
  char problem[120] = "out of memory";

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

void OnError(png_structp png, png_const_charp message) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(reader->problem, sizeof(reader->problem), "%s", message);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep out, size_t size) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (size > reader->left.size()) png_error(png, "the file ends early");
  std::memcpy(out, reader->left.data(), size);
  reader->left = reader->left.subspan(size);
}

// Calls step(); returns false if libpng jumped out of it. So step() must hold nothing that needs a
// destructor.
template <typename Step>
bool Survives(PngReader& reader, Step step) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  step();
  return true;
}

[[noreturn]] void RefusePng(const char* problem, const std::string& name) {
  throw Error(fmt::format("damaged PNG: {}", Printable(problem)), name,
              "Copy or save the picture again.");
}

// The form in which libpng is asked for the pixels.
enum class Layout { kRgb8, kRgba8, kGrey16 };

Layout LayoutOf(const PngReader& reader) {
  const int colour = png_get_color_type(reader.png, reader.info);
  const int depth = png_get_bit_depth(reader.png, reader.info);
  if (colour == PNG_COLOR_TYPE_GRAY && depth == 16) return Layout::kGrey16;
  const bool alpha = colour == PNG_COLOR_TYPE_RGB_ALPHA ||
                     (colour == PNG_COLOR_TYPE_GRAY_ALPHA && depth == 16);  // RGBA in Pillow
  return alpha ? Layout::kRgba8 : Layout::kRgb8;
}

void AskFor(Layout layout, png_structp png) {
  if (layout == Layout::kGrey16) return;
  png_set_palette_to_rgb(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  if (layout == Layout::kRgb8) png_set_strip_alpha(png);
}

void ReadHeader(PngReader& reader) {
  png_set_read_fn(reader.png, &reader, OnRead);
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER,
                              reinterpret_cast<png_const_bytep>("tRNS"), 1);
  png_read_info(reader.png, reader.info);
}

// Extends a palette that is too short by greys, as Pillow does.
void FillPalette(const PngReader& reader) {
  if (png_get_color_type(reader.png, reader.info) != PNG_COLOR_TYPE_PALETTE) return;
  png_colorp palette = nullptr;
  int count = 0;
  if (png_get_PLTE(reader.png, reader.info, &palette, &count) == 0) return;
  const int most = 1 << png_get_bit_depth(reader.png, reader.info);
  png_color filled[256];
  for (int i = 0; i < most; ++i) {
    const auto grey = static_cast<png_byte>(i);
    filled[i] = i < count ? palette[i] : png_color{grey, grey, grey};
  }
  png_set_PLTE(reader.png, reader.info, filled, most);
}

void ReadPixels(const PngReader& reader, Layout layout, std::span<uint8_t> pixels,
                size_t row_bytes) {
  FillPalette(reader);
  AskFor(layout, reader.png);
  const int passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  if (png_get_rowbytes(reader.png, reader.info) != row_bytes) {
    png_error(reader.png, "its rows have an unexpected size");
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (size_t row = 0; row < pixels.size(); row += row_bytes) {
      png_read_row(reader.png, pixels.data() + row, nullptr);
    }
  }
  png_read_end(reader.png, nullptr);
}

void Grey16ToRgb(Bytes big_endian, std::span<uint8_t> rgb) {
  for (size_t i = 0; i < rgb.size(); ++i) {
    const unsigned value = big_endian[i / 3 * 2] * 256U + big_endian[i / 3 * 2 + 1];
    rgb[i] = static_cast<uint8_t>((value + 128) / 257);
  }
}

// Begins to read a file: its width and height.
std::pair<size_t, size_t> OpenPng(PngReader& reader, Bytes file, const std::string& name) {
  reader.left = file;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, OnError, OnWarning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) RefusePng(reader.problem, name);
  if (!Survives(reader, [&] { ReadHeader(reader); })) RefusePng(reader.problem, name);

  const size_t width = png_get_image_width(reader.png, reader.info);
  const size_t height = png_get_image_height(reader.png, reader.info);
  CheckPictureSize(static_cast<int64_t>(width), static_cast<int64_t>(height), name);
  // Deflate compresses at most 1032 to 1. A header that promises more pixels is wrong, and no
  // memory is allocated for it.
  if (png_get_rowbytes(reader.png, reader.info) * height / 1032 > file.size()) {
    RefusePng("the file ends early", name);
  }
  return {width, height};
}

struct PngWriter {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<uint8_t> file;
  size_t size = 0;  // how many bytes of `file` are written
  char problem[120] = "out of memory";

  ~PngWriter() { png_destroy_write_struct(&png, &info); }
};

void OnWriteError(png_structp png, png_const_charp message) {
  auto* writer = static_cast<PngWriter*>(png_get_error_ptr(png));
  std::snprintf(writer->problem, sizeof(writer->problem), "%s", message);
  png_longjmp(png, 1);
}

void OnWrite(png_structp png, png_bytep bytes, size_t size) {
  auto* writer = static_cast<PngWriter*>(png_get_io_ptr(png));
  if (size > writer->file.size() - writer->size) png_error(png, "it is larger than expected");
  std::memcpy(writer->file.data() + writer->size, bytes, size);
  writer->size += size;
}

void OnFlush(png_structp) {}

void WriteText(PngWriter& writer, const char* keyword, const std::string& value) {
  if (value.empty()) return;
  png_text text = {};
  text.compression = PNG_ITXT_COMPRESSION_NONE;
  text.key = const_cast<char*>(keyword);         // which libpng copies
  text.text = const_cast<char*>(value.c_str());  // this, too
  text.itxt_length = value.size();
  png_set_text(writer.png, writer.info, &text, 1);
}

// Returns false if libpng jumped out. So the function must hold nothing that needs a destructor.
bool WritesPng(PngWriter& writer, int width, int height, int bits, int colour,
               std::span<const uint8_t> pixels, const PngNotes& notes) {
  if (setjmp(png_jmpbuf(writer.png)) != 0) return false;
  png_set_write_fn(writer.png, &writer, OnWrite, OnFlush);
  png_set_user_limits(writer.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(width),
               static_cast<png_uint_32>(height), bits, colour, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
  if (notes.dpi > 0) {
    const auto per_metre = static_cast<png_uint_32>(notes.dpi / 0.0254 + 0.5);
    png_set_pHYs(writer.png, writer.info, per_metre, per_metre, PNG_RESOLUTION_METER);
  }
  WriteText(writer, "Title", notes.title);
  WriteText(writer, "Software", notes.software);
  WriteText(writer, "Description", notes.description);
  // Photographs become as small as with libpng's defaults, in a fifth of the time.
  png_set_filter(writer.png, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
  png_set_compression_level(writer.png, 2);
  png_write_info(writer.png, writer.info);
  const size_t row_bytes = pixels.size() / static_cast<size_t>(height);
  for (size_t row = 0; row < pixels.size(); row += row_bytes) {
    png_write_row(writer.png, pixels.data() + row);
  }
  png_write_end(writer.png, writer.info);
  return true;
}

// `pixels` [height, width, …] as PNG has them.
std::vector<uint8_t> Encode(int width, int height, int bits, int colour,
                            std::span<const uint8_t> pixels, const std::string& name,
                            const PngNotes& notes) {
  PngWriter writer;
  // Deflate adds at most 5 bytes to each 16 KB of rows, and chunks add 12 bytes to each 8 KB.
  const size_t noted = notes.title.size() + notes.software.size() + notes.description.size();
  writer.file.resize(pixels.size() + static_cast<size_t>(height) + pixels.size() / 64 + 4096 +
                     noted);
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, OnWriteError, OnWarning);
  if (writer.png != nullptr) writer.info = png_create_info_struct(writer.png);
  if (writer.info == nullptr || !WritesPng(writer, width, height, bits, colour, pixels, notes)) {
    throw Error(fmt::format("cannot make a PNG: {}", Printable(writer.problem)), name);
  }
  writer.file.resize(writer.size);
  return std::move(writer.file);
}

}  // namespace

bool IsPng(Bytes file) { return file.size() >= 8 && png_sig_cmp(file.data(), 0, 8) == 0; }

Picture DecodePng(Bytes file, const std::string& name, AlphaUse alpha_use) {
  PngReader reader;
  const auto [width, height] = OpenPng(reader, file, name);
  Picture picture = BlankPicture(static_cast<int64_t>(width), static_cast<int64_t>(height), name);
  const Layout layout = LayoutOf(reader);
  const size_t row_bytes = width * (layout == Layout::kRgb8 ? 3 : layout == Layout::kRgba8 ? 4 : 2);
  std::vector<uint8_t> raw(layout == Layout::kRgb8 ? 0 : row_bytes * height);
  std::span<uint8_t> pixels = layout == Layout::kRgb8 ? picture.rgb : raw;
  const bool complete = Survives(reader, [&] { ReadPixels(reader, layout, pixels, row_bytes); });
  if (!complete) RefusePng(reader.problem, name);
  if (layout == Layout::kRgba8) RgbOfRgba(raw, alpha_use, picture.rgb);
  if (layout == Layout::kGrey16) Grey16ToRgb(raw, picture.rgb);
  return picture;
}

Grey16 DecodeGrey16Png(Bytes file, const std::string& name) {
  if (!IsPng(file)) throw Error("is no PNG", name);
  PngReader reader;
  const auto [width, height] = OpenPng(reader, file, name);
  if (LayoutOf(reader) != Layout::kGrey16) throw Error("is no PNG of 16-bit grey", name);
  const size_t row_bytes = 2 * width;
  std::vector<uint8_t> raw(row_bytes * height);
  const std::span<uint8_t> bytes = raw;
  const bool complete =
      Survives(reader, [&] { ReadPixels(reader, Layout::kGrey16, bytes, row_bytes); });
  if (!complete) RefusePng(reader.problem, name);
  Grey16 out{static_cast<int>(width), static_cast<int>(height), {}};
  out.values.resize(width * height);
  for (size_t i = 0; i < out.values.size(); ++i) {
    out.values[i] = static_cast<uint16_t>(raw[2 * i] << 8 | raw[2 * i + 1]);
  }
  return out;
}

std::vector<uint8_t> EncodeGrey16Png(const Grey16& grey, const std::string& name) {
  if (grey.width < 1 || grey.height < 1 ||
      grey.values.size() != static_cast<size_t>(grey.width) * static_cast<size_t>(grey.height)) {
    throw Error(fmt::format("{} values are not {} x {} pixels", grey.values.size(), grey.width,
                            grey.height),
                name);
  }
  std::vector<uint8_t> big_endian;
  for (const uint16_t value : grey.values) {
    big_endian.push_back(static_cast<uint8_t>(value >> 8));
    big_endian.push_back(static_cast<uint8_t>(value & 0xFF));
  }
  return Encode(grey.width, grey.height, 16, PNG_COLOR_TYPE_GRAY, big_endian, name, {});
}

std::vector<uint8_t> EncodePng(int width, int height, std::span<const uint8_t> rgb,
                               const std::string& name, const PngNotes& notes) {
  if (width < 1 || height < 1 || rgb.size() != size_t{3} * width * height) {
    throw Error(fmt::format("{} bytes are not {} x {} RGB pixels", rgb.size(), width, height),
                name);
  }
  return Encode(width, height, 8, PNG_COLOR_TYPE_RGB, rgb, name, notes);
}

void WritePng(const std::filesystem::path& path, int width, int height,
              std::span<const uint8_t> rgb, AtomicOptions options) {
  WriteFileAtomic(path, EncodePng(width, height, rgb, path.string()), options);
}

}  // namespace vggt
