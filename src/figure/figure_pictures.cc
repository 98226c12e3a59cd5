// SPDX-License-Identifier: Apache-2.0
#include "figure/figure_pictures.h"

#include <algorithm>
#include <cmath>

#include "core/file.h"
#include "image/codec.h"
#include "image/jpeg_codec.h"
#include "image/orientation.h"
#include "image/pil_resize.h"

namespace vggt {
namespace {

constexpr int kQuality = 88;
// A file is kept if it has at most so many times the pixels of a side that are needed, and so many
// bytes for a pixel.
constexpr double kMostSpare = 1.6, kMostBytes = 0.5;

}  // namespace

FigureFrame WithSize(FigureFrame frame) {
  if (!frame.transform && !(frame.width > 0 && frame.height > 0) && !frame.picture.empty()) {
    const Picture picture = ReadPicture(frame.picture);
    frame.width = picture.width;
    frame.height = picture.height;
  }
  return frame;
}

CanvasPicture LoadPicture(const FigureFrame& frame, double width, bool as_jpeg) {
  const std::string name = frame.picture.string();
  const std::string text = ReadFile(frame.picture);
  const Bytes file = BytesOf(text);
  const int orientation = frame.transform ? frame.transform->orientation : 1;
  Picture picture = Turned(DecodePicture(file, name), orientation);
  CanvasPicture made;
  const int needed = std::max(1, static_cast<int>(std::ceil(width)));
  if (as_jpeg && orientation == 1 && ExifOrientation(file) == 1 &&
      picture.width <= kMostSpare * needed &&
      static_cast<double>(file.size()) <=
          kMostBytes * picture.width * static_cast<double>(picture.height)) {
    std::vector<uint8_t> bare = BareJpeg(file);
    if (!bare.empty()) made.jpeg = std::make_shared<std::vector<uint8_t>>(std::move(bare));
  }
  if (!made.jpeg && picture.width > needed) {
    const double shrunk = static_cast<double>(needed) / picture.width;
    picture = ResizeBicubic(picture, needed,
                            std::max(1, static_cast<int>(std::lround(picture.height * shrunk))));
  }
  if (as_jpeg && !made.jpeg) {
    made.jpeg = std::make_shared<std::vector<uint8_t>>(EncodeJpeg(picture, kQuality, name));
  }
  made.pixels = std::make_shared<Picture>(std::move(picture));
  return made;
}

}  // namespace vggt
