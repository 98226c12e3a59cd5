// SPDX-License-Identifier: Apache-2.0
#include "image/video_stream.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "image/png_codec.h"
#include "testing.h"
#include "video_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::NumberIn;
using testing::Steady;
using testing::TestDir;
using testing::VideoMaker;
using testing::WriteVideo;

std::string ErrorOfOpening(const std::filesystem::path& path) {
  return ErrorOf([&] {
    VideoFile file(path);
    VideoStream stream(file);
  });
}

// These files name other files, which must not be opened.
TEST(VideoStream, OpensNothingButTheFile) {
  const TestDir dir;
  WriteVideo(dir / "a.ts", {.times = Steady(5, 40), .codec = "mpeg2video", .time_base = {1, 25}});
  WriteVideo(dir / "a.mp4", {.times = Steady(5, 40)});
  const std::string ts = (dir / "a.ts").string();
  for (const std::string& text :
       {"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + ts +
            "\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '" + ts + "'\n",
        std::string("<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
                    "profiles=\"urn:mpeg:dash:profile:isoff-live:2011\"></MPD>"),
        std::string("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP "
                    "96\na=rtpmap:96 H264/90000\n")}) {
    EXPECT_THAT(ErrorOfOpening(dir.Write("list.mp4", text)),
                HasSubstr("list.mp4: cannot be opened as a video"));
  }
}

TEST(VideoStream, OnlyContainersOfVideosAreTried) {
  const TestDir dir;
  WritePng(dir / "a.png", 2, 2, std::vector<uint8_t>(12));
  for (const char* name : {"a.png"}) {
    EXPECT_THAT(ErrorOfOpening(dir / name), HasSubstr("cannot be opened as a video")) << name;
  }
}

TEST(VideoStream, AudioAndCoversAreNoVideo) {
  const TestDir dir;
  WritePng(dir / "cover.png", 2, 2, std::vector<uint8_t>(12));
  const std::string cover = ReadFile(dir / "cover.png");
  for (const bool covered : {false, true}) {
    {
      VideoMaker maker(dir / "song.mp4");
      maker.AddAudio();
      if (covered) maker.AddCover(cover, 2, 2);
      maker.Finish();
    }
    EXPECT_THAT(ErrorOfOpening(dir / "song.mp4"),
                HasSubstr(std::string("song.mp4: holds no video; it holds audio (aac)") +
                          (covered ? ", a cover picture (png)" : "") + ". Name a file"));
  }
}

int FirstNumber(const std::filesystem::path& path) {
  VideoFile file(path);
  VideoStream stream(file);
  const AVFrame* frame = stream.NextFrame();
  return frame == nullptr ? -1 : NumberIn(stream.ToPicture(*frame));
}

TEST(VideoStream, ACoverBesideAVideoIsPassedOver) {
  const TestDir dir;
  WritePng(dir / "cover.png", 900, 900, std::vector<uint8_t>(size_t{900} * 900 * 3, 200));
  {
    VideoMaker maker(dir / "a.mp4");
    maker.AddCover(ReadFile(dir / "cover.png"), 900, 900);
    maker.Add({.times = Steady(5, 40)});
    maker.AddAudio();
    maker.Finish();
  }
  EXPECT_EQ(FirstNumber(dir / "a.mp4"), 0);
}

// The default video is taken before a larger one. All frames of the second video are bright, which
// reads as the number 1023.
TEST(VideoStream, TheBestOfSeveral) {
  const TestDir dir;
  const auto bright = [](AVFrame& frame, int) {
    for (int p = 0; p < 3; ++p) {
      std::memset(
          frame.data[p], p == 0 ? 235 : 128,
          static_cast<size_t>(frame.linesize[p]) * (p == 0 ? frame.height : frame.height / 2));
    }
  };
  struct Two {
    bool first_is_default, second_is_default;
    int first_width, second_width, wanted;
  };
  for (const Two& two : {Two{true, true, 80, 80, 0}, Two{true, true, 80, 160, 1023},
                         Two{true, false, 80, 160, 0}, Two{false, true, 160, 80, 1023}}) {
    {
      VideoMaker maker(dir / "a.mkv");
      maker.Add({.times = Steady(3, 40),
                 .width = two.first_width,
                 .default_stream = two.first_is_default});
      maker.Add({.times = Steady(3, 40),
                 .width = two.second_width,
                 .default_stream = two.second_is_default,
                 .paint = bright});
      maker.Finish("default_mode=passthrough");
    }
    EXPECT_EQ(FirstNumber(dir / "a.mkv"), two.wanted);
  }
}

TEST(VideoStream, AnUnknownCodecIsNamed) {
  const TestDir dir;
  WriteVideo(dir / "a.avi", {.times = Steady(3, 40),
                             .codec = "cinepak",
                             .format = AV_PIX_FMT_RGB24,
                             .paint = [](AVFrame& frame, int) {
                               std::memset(frame.data[0], 9,
                                           static_cast<size_t>(frame.linesize[0]) * frame.height);
                             }});
  const std::string error = ErrorOf([&] {
    VideoFile file(dir / "a.avi");
    VideoStream stream(file);
    stream.NextFrame();
  });
  EXPECT_THAT(error, HasSubstr("a.avi: its codec is not read (cinepak"));
  EXPECT_THAT(error, HasSubstr("Convert it, for instance with: ffmpeg"));
}

TEST(VideoStream, AFileThatShrinksEndsEarly) {
  const TestDir dir;
  WriteVideo(dir / "a.mkv", {.times = Steady(2000, 40), .codec = "ffv1"});
  VideoFile file(dir / "a.mkv");
  VideoStream stream(file);
  ASSERT_NE(stream.NextFrame(), nullptr);
  std::filesystem::resize_file(dir / "a.mkv", 100);
  int frames = 1;
  while (stream.NextFrame() != nullptr) ++frames;
  EXPECT_LT(frames, 2000);
}

TEST(VideoStream, APipeIsNotWaitedFor) {
  const TestDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe.mp4").c_str(), 0600), 0);
  EXPECT_THAT(ErrorOfOpening(dir / "pipe.mp4"), HasSubstr("pipe.mp4: is not a regular file"));
}

}  // namespace
}  // namespace vggt
