// SPDX-License-Identifier: Apache-2.0
#include "image/jpeg_codec.h"

#include <fmt/format.h>

#include <csetjmp>
#include <cstdio>  // jpeglib.h uses FILE
#include <cstdlib>
#include <vector>
// The order matters: jpeglib.h needs cstdio.
#include <jpeglib.h>
// The order matters: jerror.h needs jpeglib.h.
#include <jerror.h>

#include "core/error.h"

namespace vggt {
namespace {

// Real files have about ten scans; each of them passes over the whole picture.
constexpr int kMostScans = 500;
// A Huffman-coded block of 64 pixels takes at least a bit, an arithmetic-coded one may take less.
constexpr int64_t kMostPixelsPerByte = 1 << 16;

struct JpegReader {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf escape;
  char problem[JMSG_LENGTH_MAX] = "";

  ~JpegReader() { jpeg_destroy_decompress(&info); }
};

[[noreturn]] void Escape(j_common_ptr info) {
  auto* reader = static_cast<JpegReader*>(info->client_data);
  info->err->format_message(info, reader->problem);
  std::longjmp(reader->escape, 1);
}

// Makes errors of the warnings after which libjpeg goes on with invented pixels.
void OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      Escape(info);
    default:
      break;
  }
}

void OnProgress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) {
    auto* reader = static_cast<JpegReader*>(info->client_data);
    std::snprintf(reader->problem, sizeof(reader->problem), "more than %d scans", kMostScans);
    std::longjmp(reader->escape, 1);
  }
}

// Calls step(); returns false if libjpeg jumped out of it. So step() must hold nothing that needs a
// destructor.
template <typename Step>
bool Survives(JpegReader& reader, Step step) {
  if (setjmp(reader.escape) != 0) return false;
  step();
  return true;
}

[[noreturn]] void RefuseJpeg(const std::string& problem, const std::string& name) {
  throw Error("damaged JPEG: " + Printable(problem), name, "Copy or save the picture again.");
}

void ReadHeader(JpegReader& reader, Bytes file) {
  jpeg_create_decompress(&reader.info);
  reader.info.client_data = &reader;
  reader.info.progress = &reader.progress;
  jpeg_mem_src(&reader.info, file.data(), file.size());
  jpeg_read_header(&reader.info, TRUE);
}

}  // namespace

bool IsJpeg(Bytes file) {
  return file.size() >= 3 && file[0] == 0xFF && file[1] == 0xD8 && file[2] == 0xFF;
}

Picture DecodeJpeg(Bytes file, const std::string& name) {
  JpegReader reader;
  auto& info = reader.info;
  info.err = jpeg_std_error(&reader.errors);
  info.client_data = &reader;
  reader.errors.error_exit = Escape;
  reader.errors.emit_message = OnMessage;
  reader.progress.progress_monitor = OnProgress;
  if (!Survives(reader, [&] { ReadHeader(reader, file); })) RefuseJpeg(reader.problem, name);

  const bool cmyk = info.num_components == 4;
  if (!cmyk && info.num_components != 3 && info.num_components != 1) {
    throw Error(fmt::format("a JPEG of {} colour components, not 1, 3 or 4", info.num_components),
                name, "Convert it to PNG.");
  }
  CheckPictureSize(info.image_width, info.image_height, name);
  const int64_t pixels = int64_t{info.image_width} * info.image_height;
  if (pixels / kMostPixelsPerByte > static_cast<int64_t>(file.size())) {
    RefuseJpeg("the file ends early", name);
  }
  Picture picture = BlankPicture(info.image_width, info.image_height, name);
  std::vector<uint8_t> ink(cmyk ? size_t{info.image_width} * 4 : 0);
  const bool complete = Survives(reader, [&] {
    info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info);
    const size_t row_bytes = size_t{info.output_width} * 3;
    while (info.output_scanline < info.output_height) {
      const std::span<uint8_t> rgb(picture.rgb.data() + info.output_scanline * row_bytes,
                                   row_bytes);
      JSAMPROW row = cmyk ? ink.data() : rgb.data();
      jpeg_read_scanlines(&info, &row, 1);
      if (cmyk) InvertedCmykToRgb(ink, rgb);
    }
    jpeg_finish_decompress(&info);
  });
  if (!complete) RefuseJpeg(reader.problem, name);
  return picture;
}

namespace {

struct JpegWriter {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  std::jmp_buf escape;
  char problem[JMSG_LENGTH_MAX] = "";
  unsigned char* file = nullptr;
  unsigned long size = 0;  // NOLINT: libjpeg's type

  ~JpegWriter() {
    jpeg_destroy_compress(&info);
    std::free(file);
  }
};

[[noreturn]] void EscapeWriting(j_common_ptr info) {
  auto* writer = static_cast<JpegWriter*>(info->client_data);
  info->err->format_message(info, writer->problem);
  std::longjmp(writer->escape, 1);
}

// Returns false if libjpeg jumped out. So the function must hold nothing that needs a destructor.
bool WritesJpeg(JpegWriter& writer, const Picture& picture, int quality) {
  auto& info = writer.info;
  if (setjmp(writer.escape) != 0) return false;
  jpeg_create_compress(&info);
  info.client_data = &writer;
  jpeg_mem_dest(&info, &writer.file, &writer.size);
  info.image_width = static_cast<JDIMENSION>(picture.width);
  info.image_height = static_cast<JDIMENSION>(picture.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  info.optimize_coding = TRUE;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPLE*>(picture.rgb.data() +
                                     size_t{info.next_scanline} * 3 * info.image_width);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

}  // namespace

std::vector<uint8_t> EncodeJpeg(const Picture& picture, int quality, const std::string& name) {
  JpegWriter writer;
  writer.info.err = jpeg_std_error(&writer.errors);
  writer.info.client_data = &writer;
  writer.errors.error_exit = EscapeWriting;
  if (!WritesJpeg(writer, picture, quality)) {
    throw Error(fmt::format("cannot make a JPEG: {}", Printable(writer.problem)), name);
  }
  return {writer.file, writer.file + writer.size};
}

std::vector<uint8_t> BareJpeg(Bytes file) {
  if (!IsJpeg(file)) return {};
  std::vector<uint8_t> bare = {0xFF, 0xD8};
  bool is_plain = false;
  for (size_t at = 2; at + 2 <= file.size();) {
    const uint8_t marker = file[at + 1];
    if (file[at] != 0xFF) return {};
    if (marker == 0xD9) {  // the end; what follows are other pictures and notes
      bare.insert(bare.end(), {0xFF, 0xD9});
      return is_plain ? bare : std::vector<uint8_t>();
    }
    if (at + 4 > file.size()) return {};
    size_t end = at + 2 + file[at + 2] * 256U + file[at + 3];
    if (end > file.size()) return {};
    const Bytes segment = file.subspan(at, end - at);
    const bool is_frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      // Baseline, extended or progressive, coded by Huffman's rule: what PDF and browsers read.
      if (marker > 0xC2 || segment.size() < 13 || segment[4] != 8) return {};
      // Components named R, G and B are what they are called.
      if ((segment[9] != 1 && segment[9] != 3) || segment[10] == 'R') return {};
      is_plain = true;
    }
    // Adobe's note tells whether three colours are YCbCr.
    if (marker == 0xEE && segment.size() >= 16 && segment[15] != 1) return {};
    if (marker == 0xDA) {
      // Coded pixels, up to a marker that is neither a stuffed byte nor one that counts restarts.
      while (end + 1 < file.size() && !(file[end] == 0xFF && file[end + 1] != 0 &&
                                        (file[end + 1] < 0xD0 || file[end + 1] > 0xD7))) {
        ++end;
      }
    }
    const bool is_note = (marker >= 0xE0 && marker <= 0xEF) || marker == 0xFE;
    if (!is_note) {
      bare.insert(bare.end(), file.begin() + static_cast<ptrdiff_t>(at),
                  file.begin() + static_cast<ptrdiff_t>(end));
    }
    at = end;
  }
  return {};
}

}  // namespace vggt
