// SPDX-License-Identifier: Apache-2.0
#include "image/avif_codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "image/capabilities.h"
#include "image/file_type.h"
#ifdef VGGT_HAS_AVIF
#include <avif/avif.h>

#include <memory>
#endif

namespace vggt {

bool IsAvif(Bytes file) {
  static constexpr std::string_view kBrands[] = {"avif", "avis"};
  const auto brands = FileTypeBrands(file);
  return std::ranges::find_first_of(brands, kBrands) != brands.end();
}

#ifdef VGGT_HAS_AVIF
const bool kReadsAvif = true;

namespace {

struct FreeAvif {
  void operator()(avifDecoder* decoder) const { avifDecoderDestroy(decoder); }
};
using AvifDecoder = std::unique_ptr<avifDecoder, FreeAvif>;

AvifDecoder NewAvifDecoder() {
  AvifDecoder decoder(avifDecoderCreate());
  if (!decoder) throw std::bad_alloc();
  // Pillow does not apply these two checks, which files of older encoders fail.
  decoder->strictFlags = AVIF_STRICT_ENABLED & ~AVIF_STRICT_PIXI_REQUIRED & ~AVIF_STRICT_CLAP_VALID;
  decoder->imageSizeLimit =
      std::min<uint32_t>(static_cast<uint32_t>(kMostPixels), AVIF_DEFAULT_IMAGE_SIZE_LIMIT);
  decoder->ignoreExif = decoder->ignoreXMP = AVIF_TRUE;
  return decoder;
}

void CheckAvif(avifResult result, const std::string& name) {
  if (result == AVIF_RESULT_OK) return;
  if (result == AVIF_RESULT_OUT_OF_MEMORY) throw std::bad_alloc();
  throw Error(fmt::format("damaged AVIF: {}", Printable(avifResultToString(result))), name,
              "Copy or save the picture again.");
}

}  // namespace

Picture DecodeAvif(Bytes file, const std::string& name, AlphaUse alpha_use) {
  const AvifDecoder decoder = NewAvifDecoder();
  CheckAvif(avifDecoderSetIOMemory(decoder.get(), file.data(), file.size()), name);
  CheckAvif(avifDecoderParse(decoder.get()), name);
  CheckPictureSize(decoder->image->width, decoder->image->height, name);
  CheckAvif(avifDecoderNextImage(decoder.get()), name);

  Picture picture = BlankPicture(decoder->image->width, decoder->image->height, name);
  const bool alpha = decoder->alphaPresent != AVIF_FALSE;
  std::vector<uint8_t> rgba(alpha ? picture.rgb.size() / 3 * 4 : 0);
  avifRGBImage pixels;
  avifRGBImageSetDefaults(&pixels, decoder->image);
  pixels.depth = 8;
  pixels.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  pixels.pixels = alpha ? rgba.data() : picture.rgb.data();
  pixels.rowBytes = static_cast<uint32_t>(picture.width) * (alpha ? 4 : 3);
  CheckAvif(avifImageYUVToRGB(decoder->image, &pixels), name);
  if (alpha) RgbOfRgba(rgba, alpha_use, picture.rgb);
  return picture;
}

int AvifOrientation(Bytes file) {
  if (!IsAvif(file)) return 1;
  const AvifDecoder decoder = NewAvifDecoder();
  if (avifDecoderSetIOMemory(decoder.get(), file.data(), file.size()) != AVIF_RESULT_OK ||
      avifDecoderParse(decoder.get()) != AVIF_RESULT_OK) {
    return 1;
  }
  const avifImage& image = *decoder->image;
  const int angle = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0 ? image.irot.angle & 3 : 0;
  if ((image.transformFlags & AVIF_TRANSFORM_IMIR) == 0) {
    static constexpr int kTurned[] = {1, 8, 3, 6};  // by quarter turns, anticlockwise
    return kTurned[angle];
  }
#if AVIF_VERSION_MAJOR >= 1
  const bool left_right = image.imir.axis != 0;
#else
  const bool left_right = image.imir.mode != 0;
#endif
  // The picture is turned first and then mirrored.
  static constexpr int kUpsideDown[] = {4, 5, 2, 7}, kLeftRight[] = {2, 7, 4, 5};
  return left_right ? kLeftRight[angle] : kUpsideDown[angle];
}
#else
const bool kReadsAvif = false;

Picture DecodeAvif(Bytes, const std::string& name, AlphaUse) { RefuseMissing("AVIF", name); }

int AvifOrientation(Bytes) { return 1; }
#endif

}  // namespace vggt
