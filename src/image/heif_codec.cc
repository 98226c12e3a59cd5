// SPDX-License-Identifier: Apache-2.0
#include "image/heif_codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "image/avif_codec.h"
#include "image/capabilities.h"
#include "image/file_type.h"
#ifdef VGGT_HAS_HEIF
#include <libheif/heif.h>

#include <climits>
#include <cmath>
#include <memory>
#endif

namespace vggt {

bool IsHeif(Bytes file) {
  static constexpr std::string_view kBrands[] = {"heic", "heix", "heim", "heis", "hevc",
                                                 "hevx", "mif1", "mif2", "msf1"};
  const auto brands = FileTypeBrands(file);
  return !IsAvif(file) && std::ranges::find_first_of(brands, kBrands) != brands.end();
}

#ifdef VGGT_HAS_HEIF
const bool kReadsHeif = true;

namespace {

struct FreeHeif {
  void operator()(heif_context* context) const { heif_context_free(context); }
  void operator()(heif_image_handle* handle) const { heif_image_handle_release(handle); }
  void operator()(heif_image* image) const { heif_image_release(image); }
  void operator()(heif_decoding_options* options) const { heif_decoding_options_free(options); }
};
template <typename T>
using HeifPointer = std::unique_ptr<T, FreeHeif>;

[[noreturn]] void RefuseHeif(const std::string& problem, const std::string& name) {
  throw Error("damaged HEIC: " + problem, name, "Copy or save the picture again.");
}

void CheckHeif(const heif_error& error, const std::string& name) {
  if (error.code == heif_error_Ok) return;
  const std::string message = Printable(error.message != nullptr ? error.message : "");
  if (error.code == heif_error_Unsupported_feature ||
      error.code == heif_error_Unsupported_filetype) {
    const bool no_decoder = heif_have_decoder_for_format(heif_compression_HEVC) == 0;
    throw Error(fmt::format("a HEIC that libheif does not read: {}", message), name,
                no_decoder ? "libheif finds no HEVC decoder: install libheif-plugin-libde265."
                           : "Convert it to PNG or JPEG.");
  }
  RefuseHeif(message, name);
}

// Lays RGBA [n, 4] over white; its colours are multiplied by alpha already.
void PremultipliedOnWhite(Bytes rgba, std::span<uint8_t> rgb) {
  for (size_t i = 0; i < rgb.size(); ++i) {
    const int light = rgba[i / 3 * 4 + i % 3] + 255 - rgba[i / 3 * 4 + 3];
    rgb[i] = static_cast<uint8_t>(std::min(light, 255));
  }
}

HeifPointer<heif_image> DecodePixels(const heif_image_handle* handle, bool alpha,
                                     const std::string& name) {
  const HeifPointer<heif_decoding_options> options(heif_decoding_options_alloc());
  options->strict_decoding = 1;
  options->convert_hdr_to_8bit = 1;
  heif_image* decoded = nullptr;
  CheckHeif(heif_decode_image(handle, &decoded, heif_colorspace_RGB,
                              alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB,
                              options.get()),
            name);
  HeifPointer<heif_image> image(decoded);
  heif_error warning = {};
  if (heif_image_get_decoding_warnings(decoded, 0, &warning, 1) > 0) CheckHeif(warning, name);
  return image;
}

}  // namespace

Picture DecodeHeif(Bytes file, const std::string& name, AlphaUse alpha_use) {
  const HeifPointer<heif_context> context(heif_context_alloc());
  // libheif limits each side before it allocates anything; the number of pixels is checked below.
  heif_context_set_maximum_image_size_limit(context.get(),
                                            static_cast<int>(std::sqrt(double{kMostPixels})));
  CheckHeif(
      heif_context_read_from_memory_without_copy(context.get(), file.data(), file.size(), nullptr),
      name);
  heif_image_handle* primary = nullptr;
  CheckHeif(heif_context_get_primary_image_handle(context.get(), &primary), name);
  const HeifPointer<heif_image_handle> handle(primary);
  CheckPictureSize(heif_image_handle_get_width(primary), heif_image_handle_get_height(primary),
                   name);
  const bool alpha = heif_image_handle_has_alpha_channel(primary) != 0;
  const HeifPointer<heif_image> image = DecodePixels(primary, alpha, name);

  int stride = 0;
  const uint8_t* pixels =
      heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
  const int width = heif_image_get_width(image.get(), heif_channel_interleaved);
  const int height = heif_image_get_height(image.get(), heif_channel_interleaved);
  const size_t row_bytes = size_t{alpha ? 4U : 3U} * static_cast<size_t>(std::max(width, 0));
  if (pixels == nullptr || stride < 0 || static_cast<size_t>(stride) < row_bytes) {
    RefuseHeif("it has no pixels", name);
  }
  Picture picture = BlankPicture(width, height, name);
  const bool premultiplied = heif_image_handle_is_premultiplied_alpha(primary) != 0;
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    const Bytes row(pixels + y * static_cast<size_t>(stride), row_bytes);
    const std::span<uint8_t> rgb(picture.rgb.data() + y * size_t{3} * picture.width,
                                 size_t{3} * picture.width);
    if (!alpha) {
      std::ranges::copy(row, rgb.begin());
    } else if (premultiplied && alpha_use == AlphaUse::kOnWhite) {
      PremultipliedOnWhite(row, rgb);
    } else if (premultiplied) {
      std::vector<uint8_t> straight(row.begin(), row.end());
      Unpremultiply(straight);
      RgbOfRgba(straight, alpha_use, rgb);
    } else {
      RgbOfRgba(row, alpha_use, rgb);
    }
  }
  return picture;
}
#else
const bool kReadsHeif = false;

Picture DecodeHeif(Bytes, const std::string& name, AlphaUse) { RefuseMissing("HEIC", name); }
#endif

}  // namespace vggt
