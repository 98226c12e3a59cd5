// SPDX-License-Identifier: Apache-2.0
#include "image/video_picture.h"

#include <fmt/format.h>

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "core/error.h"
#include "image/orientation.h"

namespace vggt {
namespace {

constexpr int kMostAspect = 16;  // to 1; larger aspects in a file are taken for wrong

struct FreeScaler {
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};
struct FreePlane {
  void operator()(uint8_t* bytes) const { av_free(bytes); }
};

bool IsInterlaced(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

bool TopFieldFirst(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_TOP_FIELD_FIRST) != 0;
#else
  return frame.top_field_first != 0;
#endif
}

int ColourMatrix(const AVFrame& frame) {
  switch (NumberOf(frame.colorspace)) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return SWS_CS_ITU601;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return SWS_CS_BT2020;
    default:
      return frame.height >= 720 || frame.width >= 1280 ? SWS_CS_ITU709 : SWS_CS_ITU601;
  }
}

bool IsFullRange(const AVFrame& frame) {
  switch (frame.format) {
    case AV_PIX_FMT_YUVJ411P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ444P:
      return true;
    default:
      return NumberOf(frame.color_range) == AVCOL_RANGE_JPEG;
  }
}

struct Extent {
  int width, height;
};

// The size of the frame with square pixels; neither side becomes shorter.
Extent SquarePixels(const AVFrame& frame, PixelAspect aspect, const std::string& name) {
  const double ratio =
      aspect.width > 0 && aspect.height > 0 ? static_cast<double>(aspect.width) / aspect.height : 1;
  const double wider = ratio > 1 && ratio <= kMostAspect ? ratio : 1;
  const double higher = ratio < 1 && ratio >= 1.0 / kMostAspect ? 1 / ratio : 1;
  const int64_t width = std::llround(frame.width * wider);
  const int64_t height = std::llround(frame.height * higher);
  CheckPictureSize(width, height, name);
  return {static_cast<int>(width), static_cast<int>(height)};
}

// The rows that libswscale reads: those of the frame, or those of one of its fields.
struct SourceRows {
  std::array<const uint8_t*, 4> planes;
  std::array<int, 4> strides;
  int height;
};

SourceRows ChooseRows(const AVFrame& frame) {
  SourceRows rows = {{}, {}, frame.height};
  for (size_t i = 0; i < 4; ++i) {
    rows.planes[i] = frame.data[i];
    rows.strides[i] = frame.linesize[i];
  }
  // Colour planes may have half the rows; the two fields have equally many of them only if the
  // height is a multiple of 4.
  if (!IsInterlaced(frame) || frame.height % 4 != 0) return rows;
  const bool known = frame.format >= 0 && frame.format < AV_PIX_FMT_NB;
  const auto format = known ? static_cast<AVPixelFormat>(frame.format) : AV_PIX_FMT_NONE;
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  if ((description->flags & AV_PIX_FMT_FLAG_PAL) != 0) return rows;  // plane 1 is a palette
  rows.height = frame.height / 2;
  for (size_t i = 0; i < 4; ++i) {
    if (rows.planes[i] == nullptr) continue;
    if (!TopFieldFirst(frame)) rows.planes[i] += rows.strides[i];
    rows.strides[i] *= 2;
  }
  return rows;
}

std::optional<DisplayMatrix> OwnMatrix(const AVFrame& frame) {
  const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  DisplayMatrix matrix;
  if (data == nullptr || data->size < sizeof(matrix)) return {};
  std::copy_n(reinterpret_cast<const int32_t*>(data->data), matrix.size(), matrix.begin());
  return matrix;
}

}  // namespace

int OrientationOf(const DisplayMatrix& matrix) {
  const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (a * d == b * c) return 1;
  // x' = a x + c y, y' = b x + d y. The larger of |a| + |d| and |b| + |c| tells whether the picture
  // lies on its side; the signs of that pair tell which axes are mirrored.
  if (std::abs(a) + std::abs(d) >= std::abs(b) + std::abs(c)) {
    return a > 0 ? (d > 0 ? 1 : 4) : (d > 0 ? 2 : 3);
  }
  return c > 0 ? (b > 0 ? 5 : 8) : (b > 0 ? 6 : 7);
}

Picture PictureOfFrame(const AVFrame& frame, PixelAspect aspect,
                       const std::optional<DisplayMatrix>& matrix, const std::string& name) {
  CheckPictureSize(frame.width, frame.height, name);
  const bool known = frame.format >= 0 && frame.format < AV_PIX_FMT_NB;
  const auto format = known ? static_cast<AVPixelFormat>(frame.format) : AV_PIX_FMT_NONE;
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  if (description == nullptr || sws_isSupportedInput(format) == 0) {
    throw Error(fmt::format("its pixels are of a format that is not read ({})",
                            description == nullptr ? "unknown" : description->name),
                name, "Convert it to another format, such as H.264 in mp4.");
  }
  const Extent extent = SquarePixels(frame, aspect, name);
  const bool alpha = (description->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  const AVPixelFormat wanted = alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
  const SourceRows rows = ChooseRows(frame);
  const std::unique_ptr<SwsContext, FreeScaler> scaler(sws_getContext(
      frame.width, rows.height, format, extent.width, extent.height, wanted,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT,
      nullptr, nullptr, nullptr));
  if (!scaler) throw Error("its frames cannot be converted to RGB", name);
  constexpr int kOne = 1 << 16;  // the contrast and saturation 1
  sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(ColourMatrix(frame)),
                           IsFullRange(frame) ? 1 : 0, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0,
                           kOne, kOne);

  // libswscale may write past the end of a row, so that rows need some room after them.
  const size_t bytes_per_pixel = alpha ? 4 : 3;
  const size_t stride = (extent.width * bytes_per_pixel + 127) / 64 * 64;
  const std::unique_ptr<uint8_t, FreePlane> plane(
      static_cast<uint8_t*>(av_mallocz(stride * static_cast<size_t>(extent.height) + 64)));
  if (!plane) throw std::bad_alloc();
  uint8_t* const to[4] = {plane.get(), nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(stride), 0, 0, 0};
  if (sws_scale(scaler.get(), rows.planes.data(), rows.strides.data(), 0, rows.height, to,
                strides) != extent.height) {
    throw Error("its frames cannot be converted to RGB", name);
  }
  Picture picture = BlankPicture(extent.width, extent.height, name);
  const size_t row_bytes = size_t{3} * extent.width;
  for (size_t y = 0; y < static_cast<size_t>(extent.height); ++y) {
    const uint8_t* row = plane.get() + stride * y;
    const std::span<uint8_t> out(picture.rgb.data() + row_bytes * y, row_bytes);
    if (alpha) {
      CompositeOnWhite({row, size_t{4} * extent.width}, out);
    } else {
      std::copy_n(row, row_bytes, out.data());
    }
  }
  const std::optional<DisplayMatrix> own = OwnMatrix(frame);
  const int orientation = own ? OrientationOf(*own) : matrix ? OrientationOf(*matrix) : 1;
  return Turned(std::move(picture), orientation);
}

}  // namespace vggt
