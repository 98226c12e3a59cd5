// SPDX-License-Identifier: Apache-2.0
#include "image/webp_codec.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "core/error.h"

namespace vggt {
namespace {

[[noreturn]] void RefuseWebp(const std::string& problem, const std::string& name) {
  throw Error("damaged WebP: " + problem, name, "Copy or save the picture again.");
}

struct Delete {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

}  // namespace

bool IsWebp(Bytes file) {
  return file.size() >= 12 && std::memcmp(file.data(), "RIFF", 4) == 0 &&
         std::memcmp(file.data() + 8, "WEBP", 4) == 0;
}

Picture DecodeWebp(Bytes file, const std::string& name, AlphaUse alpha_use) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(file.data(), file.size(), &features) != VP8_STATUS_OK) {
    RefuseWebp("no readable header", name);
  }
  CheckPictureSize(features.width, features.height, name);
  const WebPData data = {file.data(), file.size()};
  const std::unique_ptr<WebPAnimDecoder, Delete> decoder(WebPAnimDecoderNew(&data, nullptr));
  if (!decoder) RefuseWebp("the file ends early or its parts contradict each other", name);
  WebPAnimInfo info;
  WebPAnimDecoderGetInfo(decoder.get(), &info);
  uint8_t* canvas = nullptr;
  int timestamp = 0;
  if (WebPAnimDecoderGetNext(decoder.get(), &canvas, &timestamp) == 0) {
    RefuseWebp("its pixels cannot be decoded", name);
  }
  Picture picture = BlankPicture(info.canvas_width, info.canvas_height, name);
  const Bytes rgba(canvas, picture.rgb.size() / 3 * 4);
  RgbOfRgba(rgba, features.has_alpha != 0 ? alpha_use : AlphaUse::kDropped, picture.rgb);
  return picture;
}

}  // namespace vggt
