// SPDX-License-Identifier: Apache-2.0
#include "geometry/match_file.h"

#include <gmock/gmock.h>

#include <limits>

#include "formats/npy.h"
#include "formats/zip_writer.h"
#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;
using testing::TestDir;

constexpr const char* kHeaderLine = "frame_a,x_a,y_a,frame_b,x_b,y_b\n";

class MatchFile : public ::testing::Test {
 protected:
  std::vector<PointPair> Read(const std::string& text) {
    return ReadMatchFile(dir_.Write("matches.csv", text), frames_);
  }
  std::string Says(const std::string& lines) {
    return ErrorOf([&] { return Read(kHeaderLine + lines); });
  }

  template <typename T>
  static std::string Values(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), sizeof(T) * values.size()};
  }
  std::filesystem::path WriteNpz(const std::string& descr_a, const Shape& shape_a,
                                 const std::string& a, const std::string& descr_b,
                                 const Shape& shape_b, const std::string& b);

  TestDir dir_;
  FrameList frames_ = PlainFrames(3, 2, 3);  // 42 x 28 pixels
};

TEST_F(MatchFile, ReadsNumbersAndNames) {
  const auto pairs = Read("\xEF\xBB\xBF" + std::string(kHeaderLine) +
                          "0, 1.5 ,2,2,42,28\r\n\n\"01.jpg\",0,0,pictures/00.jpg,1e1,2.25");
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[0].frame_a, 0);
  EXPECT_EQ(pairs[0].frame_b, 2);
  EXPECT_EQ(pairs[0].a.x, 1.5);
  EXPECT_EQ(pairs[0].b.y, 28);
  EXPECT_EQ(pairs[1].frame_a, 1);
  EXPECT_EQ(pairs[1].frame_b, 0);
  EXPECT_EQ(pairs[1].b.x, 10);
  EXPECT_EQ(pairs[1].b.y, 2.25);
}

TEST_F(MatchFile, RefusesWhatDoesNotFitTheExport) {
  EXPECT_THAT(Says("0,1,1,3,1,1\n"), HasSubstr("matches.csv, line 2: frame 3, but the export has "
                                               "frames 0 to 2"));
  EXPECT_THAT(Says("0,1,1,1,1,1\n0,1,1,1,42.5,1\n"),
              HasSubstr("line 3: the point (42.5, 1) lies outside the picture of frame 1, which "
                        "has 42 x 28 pixels"));
  EXPECT_THAT(Says("0,1,-0.01,1,1,1\n"), HasSubstr("outside the picture of frame 0"));
  EXPECT_THAT(Says("a.jpg,1,1,b.jpg,1,1\n"), HasSubstr("not those of the export"));
  EXPECT_THAT(Says("00.jpg,1,1,b.jpg,1,1\n"), HasSubstr("'b.jpg' is no picture of the export"));
  EXPECT_THAT(Says("1,1,1,1,1,1\n"), HasSubstr("both points are of frame 1"));
}

TEST_F(MatchFile, RefusesDamage) {
  EXPECT_THAT(ErrorOf([&] { return Read("x,y\n1,2\n"); }), HasSubstr("is no list of matches"));
  EXPECT_THAT(ErrorOf([&] { return Read(""); }), HasSubstr("holds no matches"));
  EXPECT_THAT(Says(""), HasSubstr("holds no matches"));
  EXPECT_THAT(Says("0,1,1,1,1\n"), HasSubstr("line 2: 5 fields, expected 6"));
  EXPECT_THAT(Says("0,1,1,1,1,one\n"), HasSubstr("'one' is no number"));
  EXPECT_THAT(Says("0,nan,1,1,1,1\n"), HasSubstr("line 2: a point is no finite number"));
  EXPECT_THAT(Says("0,1e999,1,1,1,1\n"), HasSubstr("'1e999' is no number"));
  EXPECT_THAT(Says("\"0,1,1,1,1,1\n"), HasSubstr("a quote has no end"));
  EXPECT_THAT(Says(std::string("\0\x01,,,,,\n", 8)), HasSubstr("is no number"));
  EXPECT_THROW(ReadMatchFile(dir_ / "nothing.csv", frames_), MissingFile);
}

std::filesystem::path MatchFile::WriteNpz(const std::string& descr_a, const Shape& shape_a,
                                          const std::string& a, const std::string& descr_b,
                                          const Shape& shape_b, const std::string& b) {
  const std::string frames = NpyHeader(descr_a, shape_a) + a;
  const std::string points = NpyHeader(descr_b, shape_b) + b;
  const ZipInput entries[] = {{"frames.npy", {testing::AsBytes(frames)}},
                              {"points.npy", {testing::AsBytes(points)}}};
  WriteZip(dir_ / "matches.npz", entries, true);
  return dir_ / "matches.npz";
}

TEST_F(MatchFile, ReadsNpz) {
  const auto path = WriteNpz("<i8", {2, 2}, Values<int64_t>({0, 1, 2, 0}), "<f4", {2, 4},
                             Values<float>({1.5F, 2, 3, 4, 42, 28, 0, 0.25F}));
  const auto pairs = ReadMatchFile(path, frames_);
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[0].frame_b, 1);
  EXPECT_EQ(pairs[0].a.x, 1.5);
  EXPECT_EQ(pairs[1].frame_a, 2);
  EXPECT_EQ(pairs[1].a.y, 28);
  EXPECT_EQ(pairs[1].b.y, 0.25);
}

TEST_F(MatchFile, RefusesOtherNpz) {
  const std::string frames = Values<int32_t>({0, 1}), points = Values<double>({1, 2, 3, 4});
  const auto says = [&](const std::filesystem::path& path) {
    return ErrorOf([&] { return ReadMatchFile(path, frames_); });
  };
  EXPECT_THAT(says(WriteNpz("<i4", {1, 2}, Values<int32_t>({0, 3}), "<f8", {1, 4}, points)),
              HasSubstr("row 0: frame 3, but the export has frames 0 to 2"));
  EXPECT_THAT(says(WriteNpz("<i4", {1, 2}, Values<int32_t>({-1, 1}), "<f8", {1, 4}, points)),
              HasSubstr("frame -1"));
  EXPECT_THAT(says(WriteNpz("<f8", {1, 2}, Values<double>({0.5, 1}), "<f8", {1, 4}, points)),
              HasSubstr("frame 0.5"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(says(WriteNpz("<i4", {1, 2}, frames, "<f8", {1, 4}, Values<double>({1, nan, 3, 4}))),
              HasSubstr("row 0: a point is no finite number"));
  EXPECT_THAT(says(WriteNpz("<i4", {2}, frames, "<f8", {1, 4}, points)),
              HasSubstr("frames: is no row-major array of 2 columns"));
  EXPECT_THAT(says(WriteNpz("<i4", {1, 2}, frames, "<f8", {2, 2}, points)),
              HasSubstr("points: is no row-major array of 4 columns"));
  EXPECT_THAT(says(WriteNpz("<i4", {1, 2}, frames, "<c8", {1, 4}, points)),
              HasSubstr("values of type '<c8'"));
  EXPECT_THAT(says(WriteNpz("<i4", {1, 2}, frames, "<f4", {2, 4}, points)),
              HasSubstr("'frames' has 1 rows and 'points' 2"));
  const ZipInput other[] = {{"heatmaps.npy", {testing::AsBytes(frames)}}};
  WriteZip(dir_ / "other.npz", other, false);
  EXPECT_THAT(says(dir_ / "other.npz"), HasSubstr("has no array 'frames'"));
}

}  // namespace
}  // namespace vggt
