// SPDX-License-Identifier: Apache-2.0
#include "figure/draw_figure.h"

#include <gmock/gmock.h>

#include <stdexcept>
#include <thread>

#include "figure_testing.h"
#include "image/jpeg_codec.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::FigureKind;
using testing::FigurePixels;
using testing::FigureWish;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::OneMap;
using testing::SomeFigure;
using testing::TestDir;

constexpr FigureFormat kFormats[] = {FigureFormat::kPng, FigureFormat::kSvg, FigureFormat::kPdf};

std::string Text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

// A photograph of colours that change gently, and with some noise, as photographs have it.
std::filesystem::path WritePhoto(const TestDir& dir, const std::string& name, int width,
                                 int height) {
  Picture photo{width, height, {}};
  photo.rgb.reserve(size_t{3} * width * height);
  uint32_t noise = 1;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (const int level : {100 * x / width, 100 * y / height, 60}) {
        noise = noise * 1664525 + 1013904223;
        photo.rgb.push_back(static_cast<uint8_t>(80 + level + (noise >> 28)));
      }
    }
  }
  const std::vector<uint8_t> file = EncodeJpeg(photo, 90, name);
  return dir.Write(name, {file.begin(), file.end()});
}

TEST(DrawFigure, FormatsAreToldByExtension) {
  EXPECT_EQ(FigureFormatNamed("png"), FigureFormat::kPng);
  EXPECT_EQ(FigureFormatNamed("svg"), FigureFormat::kSvg);
  EXPECT_EQ(FigureFormatNamed("pdf"), FigureFormat::kPdf);
  EXPECT_EQ(FigureFormatNamed("PDF"), std::nullopt);
  EXPECT_EQ(FigureFormatNamed("eps"), std::nullopt);
}

TEST(DrawFigure, PagesHaveTheSizeInMillimetres) {
  FigureWish wish;
  wish.width = 85;
  Figure figure = SomeFigure(wish);
  figure.dpi = 300;
  EXPECT_EQ(FigurePixels(figure).width(), 1004);
  EXPECT_THAT(Text(DrawFigure(figure, FigureFormat::kPdf)), HasSubstr("/MediaBox [ 0 0 240.94"));
  EXPECT_THAT(Text(DrawFigure(figure, FigureFormat::kSvg)), HasSubstr("width=\"240.94"));
}

TEST(DrawFigure, PicturesLieUnderTheirMaps) {
  const TestDir dir;
  Figure figure = OneMap();
  figure.frames[0].picture = WritePhoto(dir, "a.jpg", 300, 200);
  figure.looks.alone = false;
  figure.looks.opacity = 0.5;
  FigureMap& map = *figure.groups[0].columns[0].cells[0].map;
  map.values.assign(24, 0);
  map.values[23] = 1;
  const FigurePixels pixels(figure);
  const Rgb plain = pixels.AtMm(30, 20), covered = pixels.AtMm(55, 36);
  EXPECT_NEAR(plain[0], 80 + 50 + 8, 12);
  EXPECT_NEAR(covered[0], (127 + 80 + 95 + 8) / 2.0, 12);  // jet ends at dark red
  EXPECT_NEAR(covered[2], (0 + 140 + 8) / 2.0, 12);
}

TEST(DrawFigure, TheSameFigureGivesTheSameBytes) {
  const TestDir dir;
  FigureWish wish;
  wish.queries = 2;
  Figure figure = SomeFigure(wish);
  figure.recipe = "{\"view\": \"frames\"}";
  for (FigureFrame& frame : figure.frames) frame.picture = WritePhoto(dir, "a.jpg", 300, 200);
  for (const FigureFormat format : kFormats) {
    const std::vector<uint8_t> first = DrawFigure(figure, format);
    EXPECT_THAT(Text(first), HasSubstr("view"));
    std::vector<std::vector<uint8_t>> others(3);
    std::vector<std::thread> threads;
    for (auto& other : others) {
      threads.emplace_back([&] { other = DrawFigure(figure, format); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& other : others) EXPECT_EQ(other, first);
  }
}

TEST(DrawFigure, SixPicturesAreLessThanAMegabyte) {
  const TestDir dir;
  for (const auto& [width, height] : {std::pair(518, 350), std::pair(4000, 3000)}) {
    FigureWish wish;
    wish.pictures = 6;
    Figure figure = SomeFigure(wish);
    const auto photo = WritePhoto(dir, std::to_string(width) + ".jpg", width, height);
    for (FigureFrame& frame : figure.frames) frame.picture = photo;
    const std::string pdf = Text(DrawFigure(figure, FigureFormat::kPdf));
    EXPECT_LT(pdf.size(), 1'000'000U) << width;
    EXPECT_GT(pdf.size(), 50'000U) << width;
    EXPECT_THAT(pdf, HasSubstr("/DCTDecode"));
    EXPECT_THAT(pdf, HasSubstr("/FontFile3"));
    EXPECT_THAT(pdf, Not(HasSubstr("/Type3")));
  }
}

TEST(DrawFigure, MapsWithoutNumbersAreDrawnEmpty) {
  Figure figure = OneMap();
  figure.groups[0].columns[0].cells[0].map->values.assign(24, NAN);
  figure.groups[0].columns[0].cells[0].map->range = {0, NAN, false};
  EXPECT_EQ(FigurePixels(figure).AtMm(30, 20), (Rgb{241, 242, 244}));
  for (const FigureFormat format : kFormats) EXPECT_FALSE(DrawFigure(figure, format).empty());
}

TEST(DrawFigure, WhatCannotBeDrawnIsRefused) {
  const TestDir dir;
  Figure figure = SomeFigure();
  figure.frames[1].picture = dir / "gone.jpg";
  FigureWish wish;
  wish.kind = FigureKind::kMatrix;
  wish.pictures = 3000;
  wish.width = 400;
  Figure huge = SomeFigure(wish);
  huge.dpi = 600;
  for (const FigureFormat format : kFormats) {
    EXPECT_THAT(ErrorOf([&] { DrawFigure(figure, format); }), HasSubstr("gone.jpg"));
    EXPECT_THAT(ErrorOf([&] { DrawFigure(Figure(), format); }), HasSubstr("without pictures"));
    EXPECT_THAT(ErrorOf([&] { DrawFigure(huge, format); }), HasSubstr("is too large"));
  }
}

TEST(DrawFigure, CanBeStopped) {
  int left = 20;
  const auto stop = [&left] {
    if (--left == 0) throw std::runtime_error("stopped");
  };
  EXPECT_THROW(DrawFigure(SomeFigure(), FigureFormat::kPdf, stop), std::runtime_error);
}

TEST(DrawFigure, HostileTextsAreDrawn) {
  Figure figure = SomeFigure();
  figure.title = std::string("a\0b\x01\xff", 5) + "</svg>";
  figure.recipe = std::string("\x02\xfe]]>", 5);
  figure.footer.push_back(std::string(300'000, 'x'));
  figure.bars[0].ticks.push_back({NAN, "no number"});
  for (const FigureFormat format : kFormats) EXPECT_FALSE(DrawFigure(figure, format).empty());
  EXPECT_THAT(Text(DrawFigure(figure, FigureFormat::kSvg)), HasSubstr("&lt;/svg&gt;"));
}

}  // namespace
}  // namespace vggt
