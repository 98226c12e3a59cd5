// SPDX-License-Identifier: Apache-2.0
#include "image/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "core/error.h"
#include "image/avif_codec.h"
#include "image/bmp_codec.h"
#include "image/capabilities.h"
#include "image/gif_codec.h"
#include "image/heif_codec.h"
#include "image/jpeg_codec.h"
#include "image/png_codec.h"
#include "image/tiff_codec.h"
#include "image/webp_codec.h"

namespace vggt {
namespace {

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* what;
};

using namespace std::string_view_literals;
constexpr std::array kNotRead = {
    Signature{4, "ftyp"sv, "a video or camera raw file"},
    Signature{4, "jP  "sv, "a JPEG 2000"},
    Signature{4, "JXL "sv, "a JPEG XL"},
    Signature{0, "\xFF\x0A"sv, "a JPEG XL"},
    Signature{0, "8BPS"sv, "a Photoshop file"},
    Signature{0, "%PDF"sv, "a PDF"},
    Signature{0, "\x76\x2F\x31\x01"sv, "an OpenEXR"},
};

bool Matches(const Signature& signature, std::string_view file) {
  return file.substr(std::min(signature.offset, file.size())).starts_with(signature.bytes);
}

[[noreturn]] void Refuse(Bytes file, const std::string& name) {
  if (file.empty()) throw Error("the file is empty", name);
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (const Signature& signature : kNotRead) {
    if (Matches(signature, text)) {
      throw Error(fmt::format("is {}, which is not read", signature.what), name,
                  "Convert it to PNG or JPEG.");
    }
  }
  if (text.starts_with("version https://git-lfs")) {
    throw Error("is a Git LFS pointer, not the picture itself", name,
                "Fetch it with 'git lfs pull'.");
  }
  throw Error(fmt::format("is not a picture; it begins with \"{}\"",
                          Printable(std::string(text.substr(0, 16)))),
              name, fmt::format("This build {}.", CapabilitiesText()));
}

}  // namespace

std::span<const std::string_view> PictureExtensions() {
  static constexpr std::array kExtensions = {"png"sv,  "jpg"sv,  "jpeg"sv, "webp"sv,
                                             "heic"sv, "heif"sv, "hif"sv,  "avif"sv,
                                             "tif"sv,  "tiff"sv, "bmp"sv,  "gif"sv};
  return kExtensions;
}

std::string PictureExtension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (extension.starts_with('.')) extension.erase(0, 1);
  return std::ranges::count(PictureExtensions(), extension) > 0 ? extension : "";
}

Picture DecodePicture(Bytes file, const std::string& name, AlphaUse alpha_use) {
  if (IsPng(file)) return DecodePng(file, name, alpha_use);
  if (IsJpeg(file)) return DecodeJpeg(file, name);
  if (IsWebp(file)) return DecodeWebp(file, name, alpha_use);
  if (IsHeif(file)) return DecodeHeif(file, name, alpha_use);
  if (IsAvif(file)) return DecodeAvif(file, name, alpha_use);
  if (IsTiff(file)) return DecodeTiff(file, name, alpha_use);
  if (IsGif(file)) return DecodeGif(file, name);
  if (IsBmp(file)) return DecodeBmp(file, name, alpha_use);
  Refuse(file, name);
}

bool BrowsersShow(const std::filesystem::path& path) {
  std::array<char, 16> start = {};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  const Bytes file(reinterpret_cast<const uint8_t*>(start.data()), start.size());
  return IsPng(file) || IsJpeg(file) || IsWebp(file);
}

Picture ReadPicture(const std::filesystem::path& path) {
  const std::string file = ReadFile(path);
  return DecodePicture(BytesOf(file), path.string());
}

}  // namespace vggt
