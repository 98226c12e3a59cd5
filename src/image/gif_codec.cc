// SPDX-License-Identifier: Apache-2.0
#include "image/gif_codec.h"

#include "core/error.h"
#include "image/capabilities.h"
#ifdef VGGT_HAS_GIF
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <memory>
#endif

namespace vggt {

bool IsGif(Bytes file) {
  return file.size() >= 6 &&
         (std::memcmp(file.data(), "GIF87a", 6) == 0 || std::memcmp(file.data(), "GIF89a", 6) == 0);
}

#ifdef VGGT_HAS_GIF
const bool kReadsGif = true;

namespace {

// LZW codes have at most 12 bits, and one code stands for fewer pixels than there are codes.
constexpr int64_t kMostPixelsPerGifByte = 4096;

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

int OnGifRead(GifFileType* gif, GifByteType* to, int size) {
  auto* left = static_cast<Bytes*>(gif->UserData);
  const size_t n = std::min(left->size(), static_cast<size_t>(std::max(size, 0)));
  if (n > 0) std::memcpy(to, left->data(), n);
  *left = left->subspan(n);
  return static_cast<int>(n);
}

[[noreturn]] void RefuseGif(const std::string& problem, const std::string& name) {
  throw Error("damaged GIF: " + problem, name, "Copy or save the picture again.");
}

class GifReader {
 public:
  GifReader(Bytes file, const std::string& name) : left_(file), name_(name) {
    int error = 0;
    gif_.reset(DGifOpen(&left_, OnGifRead, &error));
    if (!gif_) RefuseGif(Text(error), name_);
  }

  GifFileType& gif() { return *gif_; }

  void Check(int status) {
    if (status != GIF_OK) RefuseGif(Text(gif_->Error), name_);
  }

  // Reads up to the pixels of the first frame. Returns its transparent index, or -1.
  int FindFrame() {
    int transparent = NO_TRANSPARENT_COLOR;
    for (;;) {
      GifRecordType type = UNDEFINED_RECORD_TYPE;
      Check(DGifGetRecordType(gif_.get(), &type));
      if (type == IMAGE_DESC_RECORD_TYPE) break;
      if (type != EXTENSION_RECORD_TYPE) RefuseGif("it has no frame", name_);
      int code = 0;
      GifByteType* block = nullptr;
      Check(DGifGetExtension(gif_.get(), &code, &block));
      GraphicsControlBlock control = {};
      if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr &&
          DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
          control.TransparentColor != NO_TRANSPARENT_COLOR) {
        transparent = control.TransparentColor;
      }
      while (block != nullptr) Check(DGifGetExtensionNext(gif_.get(), &block));
    }
    Check(DGifGetImageDesc(gif_.get()));
    return transparent;
  }

 private:
  static std::string Text(int error) {
    const char* text = GifErrorString(error);
    return text != nullptr ? Printable(text) : "the file ends early";
  }

  Bytes left_;
  const std::string& name_;
  std::unique_ptr<GifFileType, CloseGif> gif_;
};

// The colour of each index. Indices beyond the palette are black; without a palette all are greys.
std::array<std::array<uint8_t, 3>, 256> ColoursOf(const GifFileType& gif) {
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  std::array<std::array<uint8_t, 3>, 256> colours;
  for (size_t i = 0; i < colours.size(); ++i) {
    const auto grey = static_cast<uint8_t>(i);
    const bool inside = map != nullptr && i < static_cast<size_t>(map->ColorCount);
    const GifColorType outside =
        map != nullptr ? GifColorType{0, 0, 0} : GifColorType{grey, grey, grey};
    const GifColorType colour = inside ? map->Colors[i] : outside;
    colours[i] = {colour.Red, colour.Green, colour.Blue};
  }
  return colours;
}

// The rows of a frame in the order in which they are stored.
std::vector<int> StoredRows(int height, bool interlaced) {
  std::vector<int> rows;
  const auto add = [&](int first, int step) {
    for (int y = first; y < height; y += step) rows.push_back(y);
  };
  if (interlaced) {
    add(0, 8);
    add(4, 8);
    add(2, 4);
    add(1, 2);
  } else {
    add(0, 1);
  }
  return rows;
}

}  // namespace

Picture DecodeGif(Bytes file, const std::string& name) {
  GifReader reader(file, name);
  const int transparent = reader.FindFrame();
  GifFileType& gif = reader.gif();
  const GifImageDesc& frame = gif.Image;
  if (frame.Width < 1 || frame.Height < 1) RefuseGif("its frame has no pixels", name);
  const int64_t width = std::max<int64_t>(gif.SWidth, int64_t{frame.Left} + frame.Width);
  const int64_t height = std::max<int64_t>(gif.SHeight, int64_t{frame.Top} + frame.Height);
  CheckPictureSize(width, height, name);
  const int64_t stored = int64_t{frame.Width} * frame.Height;
  if (stored / kMostPixelsPerGifByte > static_cast<int64_t>(file.size())) {
    RefuseGif("the file ends early", name);
  }

  // The frame is decoded before the canvas is allocated: a tiny file may declare a huge canvas.
  std::vector<GifPixelType> indices(static_cast<size_t>(stored));
  for (const int y : StoredRows(frame.Height, frame.Interlace)) {
    reader.Check(
        DGifGetLine(&gif, indices.data() + static_cast<ptrdiff_t>(y) * frame.Width, frame.Width));
  }
  Picture picture = BlankPicture(width, height, name);
  const auto colours = ColoursOf(gif);
  const auto put = [&](size_t pixel, size_t colour) {
    std::ranges::copy(colours[colour],
                      picture.rgb.begin() + static_cast<std::ptrdiff_t>(3 * pixel));
  };
  if (stored < width * height) {
    const size_t around = transparent >= 0 ? static_cast<size_t>(transparent) : 0;
    for (size_t i = 0; i < picture.rgb.size() / 3; ++i) put(i, around);
  }
  for (size_t i = 0; i < indices.size(); ++i) {
    const size_t x = i % static_cast<size_t>(frame.Width), y = i / static_cast<size_t>(frame.Width);
    put((static_cast<size_t>(frame.Top) + y) * static_cast<size_t>(width) +
            static_cast<size_t>(frame.Left) + x,
        indices[i]);
  }
  return picture;
}
#else
const bool kReadsGif = false;

Picture DecodeGif(Bytes, const std::string& name) { RefuseMissing("GIF", name); }
#endif

}  // namespace vggt
