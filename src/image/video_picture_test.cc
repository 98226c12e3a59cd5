// SPDX-License-Identifier: Apache-2.0
#include "image/video_picture.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <memory>

#include "image/video.h"
#include "testing.h"
#include "video_testing.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;
using testing::TestVideo;
using testing::WriteVideo;

struct FreeTestFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
using FramePtr = std::unique_ptr<AVFrame, FreeTestFrame>;

FramePtr MakeFrame(AVPixelFormat format, int width, int height) {
  FramePtr frame(av_frame_alloc());
  frame->format = format;
  frame->width = width;
  frame->height = height;
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  return frame;
}

// A frame of one colour, with 8 bits a value.
FramePtr FlatYuv(int y, int u, int v, AVPixelFormat format = AV_PIX_FMT_YUV444P, int width = 16,
                 int height = 16) {
  FramePtr frame = MakeFrame(format, width, height);
  const int values[3] = {y, u, v};
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  for (int p = 0; p < 3; ++p) {
    const int rows = p == 0 ? height : AV_CEIL_RSHIFT(height, description->log2_chroma_h);
    std::memset(frame->data[p], values[p], static_cast<size_t>(frame->linesize[p]) * rows);
  }
  return frame;
}

std::vector<int> PixelAt(const Picture& picture, int x, int y) {
  const uint8_t* p = &picture.rgb[3 * (size_t(y) * picture.width + x)];
  return {p[0], p[1], p[2]};
}

Picture Shown(const AVFrame& frame, PixelAspect aspect = {}) {
  av_log_set_level(AV_LOG_QUIET);
  return PictureOfFrame(frame, aspect, {}, "clip.mp4");
}

void ExpectNear(const std::vector<int>& got, const std::vector<int>& wanted) {
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[i], wanted[i], 2) << "channel " << i;
}

struct Colour {
  AVColorSpace space;
  AVColorRange range;
  int y, u, v;  // pure red
};

// ITU-R BT.601, 709 and 2020: Y' and C'r of red are Kr and 1/2, C'b is -Kr / (2 (1 - Kb)).
TEST(PictureOfFrame, HonoursMatrixAndRange) {
  for (const Colour& red : {Colour{AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, 63, 102, 240},
                            Colour{AVCOL_SPC_BT709, AVCOL_RANGE_JPEG, 54, 99, 255},
                            Colour{AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG, 81, 90, 240},
                            Colour{AVCOL_SPC_BT470BG, AVCOL_RANGE_JPEG, 76, 85, 255},
                            Colour{AVCOL_SPC_BT2020_NCL, AVCOL_RANGE_MPEG, 74, 97, 240}}) {
    const FramePtr frame = FlatYuv(red.y, red.u, red.v);
    frame->colorspace = red.space;
    frame->color_range = red.range;
    ExpectNear(PixelAt(Shown(*frame), 7, 7), {255, 0, 0});
  }
}

TEST(PictureOfFrame, GuessesTheMatrixBySize) {
  ExpectNear(PixelAt(Shown(*FlatYuv(81, 90, 240, AV_PIX_FMT_YUV444P, 640, 480)), 0, 0),
             {255, 0, 0});
  ExpectNear(PixelAt(Shown(*FlatYuv(63, 102, 240, AV_PIX_FMT_YUV444P, 1280, 16)), 0, 0),
             {255, 0, 0});
  ExpectNear(PixelAt(Shown(*FlatYuv(63, 102, 240, AV_PIX_FMT_YUV444P, 16, 720)), 0, 0),
             {255, 0, 0});
}

TEST(PictureOfFrame, OldNamesOfFullRange) {
  const FramePtr frame = FlatYuv(255, 128, 128, AV_PIX_FMT_YUVJ420P);
  EXPECT_THAT(PixelAt(Shown(*frame), 3, 3), ElementsAre(255, 255, 255));
  EXPECT_THAT(PixelAt(Shown(*FlatYuv(235, 128, 128, AV_PIX_FMT_YUV420P)), 3, 3),
              ElementsAre(255, 255, 255));
}

TEST(PictureOfFrame, TenBitsBecomeEight) {
  const FramePtr frame = MakeFrame(AV_PIX_FMT_YUV420P10, 16, 16);
  for (int p = 0; p < 3; ++p) {
    for (int y = 0; y < (p == 0 ? 16 : 8); ++y) {
      auto* row = reinterpret_cast<uint16_t*>(frame->data[p] + y * frame->linesize[p]);
      std::fill_n(row, p == 0 ? 16 : 8, p == 0 ? 502 : 512);  // (502 - 64) / 876 = 1 / 2
    }
  }
  ExpectNear(PixelAt(Shown(*frame), 8, 8), {128, 128, 128});
}

TEST(PictureOfFrame, AlphaIsLaidOverWhite) {
  const FramePtr frame = MakeFrame(AV_PIX_FMT_RGBA, 4, 2);
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 4; ++x) {
      const uint8_t pixel[4] = {200, 0, 100, static_cast<uint8_t>(85 * x)};
      std::copy_n(pixel, 4, frame->data[0] + y * frame->linesize[0] + 4 * x);
    }
  }
  const Picture picture = Shown(*frame);
  EXPECT_THAT(PixelAt(picture, 0, 1), ElementsAre(255, 255, 255));
  ExpectNear(PixelAt(picture, 1, 1), {237, 170, 203});
  EXPECT_THAT(PixelAt(picture, 3, 0), ElementsAre(200, 0, 100));
}

TEST(PictureOfFrame, PixelsBecomeSquare) {
  const FramePtr frame = FlatYuv(235, 128, 128, AV_PIX_FMT_YUV420P, 72, 58);
  const auto size = [&](PixelAspect aspect) {
    const Picture picture = Shown(*frame, aspect);
    return std::pair(picture.width, picture.height);
  };
  EXPECT_EQ(size({16, 11}), std::pair(105, 58));
  EXPECT_EQ(size({8, 9}), std::pair(72, 65));
  // Unknown or impossible aspects count as square.
  for (const PixelAspect none :
       {PixelAspect{0, 1}, PixelAspect{0, 0}, PixelAspect{1, 1}, PixelAspect{-2, 1},
        PixelAspect{100, 1}, PixelAspect{1, INT32_MAX}}) {
    EXPECT_EQ(size(none), std::pair(72, 58));
  }
}

// The two fields show different moments: one is bright and one dark here.
TEST(PictureOfFrame, OneFieldOfInterlaced) {
  for (const bool top_first : {true, false}) {
    const FramePtr frame = FlatYuv(16, 128, 128, AV_PIX_FMT_YUV420P, 32, 32);
    for (int y = 0; y < 32; y += 2) {
      std::memset(frame->data[0] + y * frame->linesize[0], 235, 32);
    }
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    frame->flags |= AV_FRAME_FLAG_INTERLACED | (top_first ? AV_FRAME_FLAG_TOP_FIELD_FIRST : 0);
#else
    frame->interlaced_frame = 1;
    frame->top_field_first = top_first ? 1 : 0;
#endif
    const Picture picture = Shown(*frame);
    EXPECT_EQ(picture.height, 32);
    const int wanted = top_first ? 255 : 0;
    for (int y = 0; y < 32; ++y) {
      EXPECT_THAT(PixelAt(picture, 5, y), ElementsAre(wanted, wanted, wanted)) << y;
    }
  }
}

TEST(PictureOfFrame, OddSizes) {
  for (const AVPixelFormat format : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P}) {
    for (const auto& [width, height] : {std::pair(1, 1), {3, 5}, {17, 2}, {641, 3}}) {
      const FramePtr frame = FlatYuv(235, 128, 128, format, width, height);
      const Picture picture = Shown(*frame);
      EXPECT_EQ(picture.width, width);
      EXPECT_EQ(picture.height, height);
      EXPECT_THAT(picture.rgb, ::testing::Each(255)) << width << "×" << height;
    }
  }
}

// Values that no enum has, as files may hold them.
TEST(PictureOfFrame, UnknownColoursAreGuessed) {
  const FramePtr frame = FlatYuv(81, 90, 240);
  const int unknown = 66;
  std::memcpy(&frame->colorspace, &unknown, sizeof(unknown));
  std::memcpy(&frame->color_range, &unknown, sizeof(unknown));
  ExpectNear(PixelAt(Shown(*frame), 0, 0), {255, 0, 0});
}

TEST(PictureOfFrame, RefusesUnknownPixels) {
  const FramePtr frame = FlatYuv(0, 0, 0);
  for (const int format : {int(AV_PIX_FMT_VAAPI), -1, 100000}) {
    frame->format = format;
    EXPECT_THAT(ErrorOf([&] { return Shown(*frame); }),
                HasSubstr("clip.mp4: its pixels are of a format that is not read"));
  }
}

constexpr int kOne = 1 << 16, kLast = 1 << 30;

DisplayMatrix Matrix(int a, int b, int c, int d) { return {a, b, 0, c, d, 0, 0, 0, kLast}; }

TEST(OrientationOf, AllEight) {
  EXPECT_EQ(OrientationOf(Matrix(kOne, 0, 0, kOne)), 1);
  EXPECT_EQ(OrientationOf(Matrix(-kOne, 0, 0, kOne)), 2);
  EXPECT_EQ(OrientationOf(Matrix(-kOne, 0, 0, -kOne)), 3);
  EXPECT_EQ(OrientationOf(Matrix(kOne, 0, 0, -kOne)), 4);
  EXPECT_EQ(OrientationOf(Matrix(0, kOne, kOne, 0)), 5);
  EXPECT_EQ(OrientationOf(Matrix(0, kOne, -kOne, 0)), 6);  // a phone held upright
  EXPECT_EQ(OrientationOf(Matrix(0, -kOne, -kOne, 0)), 7);
  EXPECT_EQ(OrientationOf(Matrix(0, -kOne, kOne, 0)), 8);
}

TEST(OrientationOf, TakesTheNearestAndNoNonsense) {
  EXPECT_EQ(OrientationOf(Matrix(60000, 20000, -20000, 60000)), 1);
  EXPECT_EQ(OrientationOf(Matrix(20000, 60000, -60000, 20000)), 6);
  EXPECT_EQ(OrientationOf(Matrix(0, 0, 0, 0)), 1);
  EXPECT_EQ(OrientationOf(Matrix(kOne, kOne, kOne, kOne)), 1);
  EXPECT_EQ(OrientationOf(Matrix(INT32_MIN, INT32_MIN, INT32_MAX, INT32_MIN)), 3);
}

// A bright corner shows how the picture is turned, in files and in frames.
TEST(Video, IsTurnedUpright) {
  const auto paint = [](AVFrame& frame, int) {
    for (int p = 0; p < 3; ++p) {
      const int rows = p == 0 ? frame.height : frame.height / 2;
      std::memset(frame.data[p], p == 0 ? 16 : 128, static_cast<size_t>(frame.linesize[p]) * rows);
    }
    for (int y = 0; y < 16; ++y) std::memset(frame.data[0] + y * frame.linesize[0], 235, 16);
  };
  struct Turned {
    DisplayMatrix matrix;
    bool transposed;
    int bright;  // the bright corner: 0 top left, 1 top right, 2 bottom right, 3 bottom left
  };
  const TestDir dir;
  for (const char* name : {"a.mp4", "a.mov"}) {
    for (const Turned& turned :
         {Turned{Matrix(kOne, 0, 0, kOne), false, 0}, Turned{Matrix(0, kOne, -kOne, 0), true, 1},
          Turned{Matrix(-kOne, 0, 0, -kOne), false, 2}, Turned{Matrix(0, -kOne, kOne, 0), true, 3},
          Turned{Matrix(-kOne, 0, 0, kOne), false, 1}}) {
      const bool transposed = turned.transposed;
      const int bright = turned.bright;
      WriteVideo(
          dir / name,
          {.times = {0, 40}, .width = 64, .height = 48, .matrix = turned.matrix, .paint = paint});
      Video video(dir / name);
      int frames = 0;
      const std::vector<size_t> both = {0, 1};
      video.Read(both, [&](const VideoFrame& frame) {
        const Picture& p = frame.picture;
        EXPECT_EQ(std::pair(p.width, p.height), transposed ? std::pair(48, 64) : std::pair(64, 48));
        const std::pair<int, int> corners[] = {
            {4, 4}, {p.width - 5, 4}, {p.width - 5, p.height - 5}, {4, p.height - 5}};
        for (int i = 0; i < 4; ++i) {
          EXPECT_NEAR(PixelAt(p, corners[i].first, corners[i].second)[1], i == bright ? 255 : 0, 20)
              << name << ", corner " << i << " where " << bright << " is bright";
        }
        ++frames;
      });
      EXPECT_EQ(frames, 2);
    }
  }
}

TEST(Video, PixelsInFilesBecomeSquare) {
  const TestDir dir;
  for (const char* name : {"a.mp4", "a.mkv"}) {
    WriteVideo(dir / name, {.times = {0}, .aspect = {4, 3}});
    Video video(dir / name);
    const std::vector<size_t> first = {0};
    video.Read(first, [](const VideoFrame& frame) {
      EXPECT_NEAR(frame.picture.width, 107, 1);
      EXPECT_EQ(frame.picture.height, 48);
    });
  }
}

}  // namespace
}  // namespace vggt
