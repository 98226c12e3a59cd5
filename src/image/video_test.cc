// SPDX-License-Identifier: Apache-2.0
#include "image/video.h"

#include <gmock/gmock.h>

#include "testing.h"
#ifdef VGGT_HAS_VIDEO
#include <numeric>

#include "image/png_codec.h"
#include "video_testing.h"
#endif

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(VideoNames, AreToldByExtension) {
  for (const char* name : {"a.mp4", "b/c.MOV", "x.WebM", "a.b.mkv"}) {
    EXPECT_TRUE(HasVideoExtension(name)) << name;
  }
  for (const char* name : {"mp4", "a.mp4.png", "a.", "", "a.mp", ".mp4"}) {
    EXPECT_FALSE(HasVideoExtension(name)) << name;
  }
}

#ifndef VGGT_HAS_VIDEO

TEST(Video, ABuildWithoutLibrariesSaysSo) {
  EXPECT_FALSE(ReadsVideo());
  EXPECT_THAT(ErrorOf([] { return Video("clip.mp4"); }),
              HasSubstr("clip.mp4: this build cannot read videos (FFmpeg was missing"));
}

#else

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::NumberIn;
using testing::Steady;
using testing::TestVideo;
using testing::VideoMaker;
using testing::WriteVideo;

struct Taken {
  std::vector<int> numbers;
  std::vector<double> seconds;
};

Taken Take(Video& video, const std::vector<size_t>& frames) {
  Taken taken;
  video.Read(frames, [&](const VideoFrame& frame) {
    taken.numbers.push_back(NumberIn(frame.picture));
    taken.seconds.push_back(frame.seconds);
  });
  return taken;
}

std::vector<size_t> AllOf(const Video& video) {
  std::vector<size_t> all(video.times().size());
  std::iota(all.begin(), all.end(), size_t{0});
  return all;
}

void ExpectTimes(const std::vector<double>& got, const std::vector<int64_t>& milliseconds) {
  ASSERT_EQ(got.size(), milliseconds.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double wanted = static_cast<double>(milliseconds[i] - milliseconds[0]) / 1000;
    EXPECT_NEAR(got[i], wanted, 0.0006) << i;
  }
}

// The first `share` of the file.
void Cut(const std::filesystem::path& path, double share) {
  std::filesystem::resize_file(
      path, static_cast<uintmax_t>(static_cast<double>(std::filesystem::file_size(path)) * share));
}

struct Kind {
  const char* file;
  const char* codec;
  int b_frames = 0;
  AVPixelFormat format = AV_PIX_FMT_YUV420P;
  const char* options = "";
  AVRational time_base = {1, 1000};
};

class VideoKinds : public ::testing::TestWithParam<Kind> {};

TEST_P(VideoKinds, GivesEveryFrameAtItsTime) {
  const TestDir dir;
  const std::vector<int64_t> steady = Steady(40, 40);
  WriteVideo(dir / GetParam().file,
             {.times = steady,
              .codec = GetParam().codec,
              .format = GetParam().format,
              .time_base = GetParam().time_base,
              .b_frames = GetParam().b_frames},
             GetParam().options);
  Video video(dir / GetParam().file);
  ExpectTimes(video.times(), steady);
  EXPECT_NEAR(video.duration(), 1.6, 0.045);
  const Taken taken = Take(video, AllOf(video));
  std::vector<int> numbers(40);
  std::iota(numbers.begin(), numbers.end(), 0);
  EXPECT_EQ(taken.numbers, numbers);
  EXPECT_EQ(taken.seconds, video.times());
  EXPECT_THAT(video.notes(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    , VideoKinds,
    ::testing::Values(Kind{"mpeg4.mp4", "mpeg4"}, Kind{"b.mp4", "mpeg4", 2},
                      Kind{"b.mov", "mpeg4", 2}, Kind{"b.mkv", "mpeg4", 2},
                      Kind{"parts.mp4", "mpeg4", 0, AV_PIX_FMT_YUV420P,
                           "movflags=frag_keyframe+empty_moov"},
                      Kind{"ffv1.mkv", "ffv1"}, Kind{"mjpeg.avi", "mjpeg", 0, AV_PIX_FMT_YUVJ420P},
                      Kind{"b.avi", "mpeg4", 2, AV_PIX_FMT_YUV420P, "", {1, 25}},
                      Kind{"mpeg2.ts", "mpeg2video", 2, AV_PIX_FMT_YUV420P, "", {1, 25}},
                      Kind{"mpeg2.mpg", "mpeg2video", 2, AV_PIX_FMT_YUV420P, "", {1, 25}},
                      Kind{"flv.flv", "flv"}, Kind{"wmv.wmv", "wmv1"}),
    [](const auto& info) {
      std::string name = info.param.file;
      name[name.find('.')] = '_';
      return name;
    });

TEST(Video, VariableFrameRateKeepsItsTimes) {
  const TestDir dir;
  const std::vector<int64_t> times = {0, 10, 250, 260, 1000, 1033, 5000, 5001, 9000};
  for (const char* name : {"a.mp4", "a.mkv"}) {
    WriteVideo(dir / name, {.times = times, .b_frames = 2});
    Video video(dir / name);
    ExpectTimes(video.times(), times);
    EXPECT_THAT(Take(video, {1, 3, 6, 8}).numbers, ElementsAre(1, 3, 6, 8)) << name;
  }
}

TEST(Video, TimesBeginWithTheFirstFrame) {
  const TestDir dir;
  const std::vector<int64_t> times = {7000, 7040, 7080};
  WriteVideo(dir / "a.mkv", {.times = times});
  ExpectTimes(Video(dir / "a.mkv").times(), times);
}

// Seeking finds the same frames as decoding everything.
TEST(Video, FewFramesOfManyAreTheSame) {
  const TestDir dir;
  for (const char* name : {"a.mp4", "a.mkv", "parts.mp4", "a.avi"}) {
    WriteVideo(dir / name, {.times = Steady(600, 33), .b_frames = 2},
               name[0] == 'p' ? "movflags=frag_keyframe+empty_moov" : "");
    Video video(dir / name);
    std::vector<Picture> all;
    video.Read(AllOf(video), [&](VideoFrame frame) { all.push_back(std::move(frame.picture)); });
    ASSERT_EQ(all.size(), 600u);
    for (const std::vector<size_t>& few :
         {std::vector<size_t>{0, 150, 300, 450}, {599}, {11, 12, 13, 25, 26, 400, 401}}) {
      size_t i = 0;
      video.Read(few, [&](const VideoFrame& frame) {
        EXPECT_EQ(NumberIn(frame.picture), static_cast<int>(few[i])) << name;
        EXPECT_EQ(frame.seconds, video.times()[few[i]]) << name;
        EXPECT_EQ(frame.picture.rgb, all[few[i]].rgb) << name << ", frame " << few[i];
        ++i;
      });
      EXPECT_EQ(i, few.size());
    }
    EXPECT_THAT(video.notes(), IsEmpty());
  }
}

TEST(Video, OneFrame) {
  const TestDir dir;
  for (const char* name : {"a.mp4", "a.mkv", "a.avi"}) {
    WriteVideo(dir / name, {.times = {0}});
    Video video(dir / name);
    EXPECT_THAT(video.times(), ElementsAre(0));
    EXPECT_THAT(Take(video, {0}).numbers, ElementsAre(0));
  }
}

TEST(Video, ACutFileGivesWhatThereIs) {
  const TestDir dir;
  // An mp4 that begins with its table of samples, and containers without one.
  for (const char* name : {"a.mp4", "a.mkv", "a.ts", "a.avi"}) {
    WriteVideo(dir / name,
               {.times = Steady(200, 40),
                .codec = name[2] == 't' ? "mpeg2video" : "mpeg4",
                .time_base = {1, 25}},
               name[3] == 'p' ? "movflags=faststart" : "");
    Cut(dir / name, 0.5);
    Video video(dir / name);
    EXPECT_GT(video.times().size(), 60u) << name;
    EXPECT_LT(video.times().size(), 140u) << name;
    const Taken taken = Take(video, AllOf(video));
    std::vector<int> numbers(taken.numbers.size());
    std::iota(numbers.begin(), numbers.end(), 0);
    EXPECT_EQ(taken.numbers, numbers) << name;
    EXPECT_GT(taken.numbers.size() + 2, video.times().size()) << name;
    if (name[2] == 't') continue;  // MPEG-TS does not tell its length
    ASSERT_FALSE(video.notes().empty()) << name;
    EXPECT_THAT(video.notes()[0], HasSubstr("the video ends early")) << name;
    // FFmpeg subtracts some of an AVI's frames from the number in its header.
    const char* announced = name[2] == 'a' ? "in its header" : "of the 8.0";
    EXPECT_THAT(video.notes()[0], HasSubstr(announced)) << name;
  }
}

TEST(Video, AnMp4WithoutItsTableIsRefused) {
  const TestDir dir;
  WriteVideo(dir / "a.mp4", {.times = Steady(100, 40)});
  Cut(dir / "a.mp4", 0.5);
  const std::string error = ErrorOf([&] { return Video(dir / "a.mp4"); });
  EXPECT_THAT(error, HasSubstr("a.mp4: cannot be opened as a video"));
  EXPECT_THAT(error, HasSubstr("whose end is missing"));
}

TEST(Video, ACutBeforeTheFirstFrameIsRefused) {
  const TestDir dir;
  WriteVideo(dir / "a.mp4", {.times = Steady(100, 40)}, "movflags=faststart");
  // The header stays; the frames after it are damaged.
  const std::string file = ReadFile(dir / "a.mp4");
  dir.Write("a.mp4", file.substr(0, file.find("mdat") + 20));
  EXPECT_THAT(ErrorOf([&] { return Video(dir / "a.mp4"); }),
              HasSubstr("holds no frame that can be decoded"));
}

// Frames that decoders made up for missing data must not be taken.
TEST(Video, DamageInTheMiddleIsLeftOutAndSaid) {
  const TestDir dir;
  WriteVideo(dir / "a.mp4", {.times = Steady(100, 40)}, "movflags=faststart");
  std::string file = ReadFile(dir / "a.mp4");
  const size_t begin = file.find("mdat") + 4;
  for (size_t i = begin + (file.size() - begin) * 2 / 5; i < begin + (file.size() - begin) / 2;
       ++i) {
    file[i] = '\x5A';
  }
  dir.Write("a.mp4", file);
  Video video(dir / "a.mp4");
  const Taken taken = Take(video, AllOf(video));
  EXPECT_EQ(taken.numbers.front(), 0);
  EXPECT_EQ(taken.numbers.back(), 99);
  EXPECT_LT(taken.numbers.size(), 100u);
  for (size_t i = 0; i < taken.numbers.size(); ++i) {
    EXPECT_NEAR(taken.seconds[i], taken.numbers[i] * 0.04, 0.001);
  }
  ASSERT_EQ(video.notes().size(), 1u);
  EXPECT_THAT(video.notes()[0], HasSubstr("cannot be decoded and are left out"));
}

TEST(Video, WhatIsNoVideoIsRefused) {
  const TestDir dir;
  dir.Write("text.mp4", "This is a text and no video.\n");
  dir.Write("empty.mp4", "");
  std::filesystem::create_directory(dir / "folder.mp4");
  const auto error = [&](const char* name) { return ErrorOf([&] { return Video(dir / name); }); };
  EXPECT_THAT(error("text.mp4"), HasSubstr("text.mp4: cannot be opened as a video"));
  EXPECT_THAT(error("empty.mp4"), HasSubstr("empty.mp4: is empty"));
  EXPECT_THAT(error("folder.mp4"), HasSubstr("folder.mp4: is not a regular file"));
  EXPECT_THAT(error("missing.mp4"), HasSubstr("missing.mp4: cannot open the video"));
}

TEST(Video, ProgressMayEndIt) {
  const TestDir dir;
  WriteVideo(dir / "a.mp4", {.times = Steady(100, 40)});
  EXPECT_THROW(Video(dir / "a.mp4", [](double) { throw Interrupted(); }), Interrupted);
  Video video(dir / "a.mp4");
  double last = -1;
  video.Read(
      AllOf(video), [](const VideoFrame&) {},
      [&](double share) {
        EXPECT_GE(share, last);
        EXPECT_LE(share, 1);
        last = share;
      });
  EXPECT_GT(last, 0.8);
  EXPECT_THROW(video.Read(
                   AllOf(video), [](const VideoFrame&) {}, [](double) { throw Interrupted(); }),
               Interrupted);
}

TEST(Video, OnlyFramesInOrderAreRead) {
  const TestDir dir;
  WriteVideo(dir / "a.mp4", {.times = Steady(3, 40)});
  Video video(dir / "a.mp4");
  for (const std::vector<size_t>& wrong : {std::vector<size_t>{3}, {1, 1}, {2, 0}}) {
    EXPECT_NE(ErrorOf([&] { video.Read(wrong, [](const VideoFrame&) {}); }), "");
  }
}

#endif

}  // namespace
}  // namespace vggt
