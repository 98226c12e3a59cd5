// SPDX-License-Identifier: Apache-2.0
#include "image/jpeg_codec.h"

#include <fmt/format.h>

#include <csetjmp>
#include <cstdio>  // jpeglib.h uses FILE
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

}  // namespace vggt
