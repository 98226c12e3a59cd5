// SPDX-License-Identifier: Apache-2.0
#include "render/canvas.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <thread>

#include "image/jpeg_codec.h"
#include "image/png_codec.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Rgb kRed = {255, 0, 0}, kBlue = {0, 0, 255}, kWhite = {255, 255, 255};

Rgb At(const Picture& picture, int x, int y) {
  const uint8_t* p = picture.rgb.data() + size_t{3} * (y * picture.width + x);
  return {p[0], p[1], p[2]};
}

// A page of 40 × 20 points, drawn by `draw`, at `dpi`.
template <typename Drawer>
Picture Drawn(Drawer draw, double dpi = 72) {
  Canvas canvas(CanvasKind::kPng, 40, 20, dpi, {});
  draw(canvas);
  return DecodePng(canvas.Finish(), "canvas");
}

std::string Text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
  return count;
}

std::shared_ptr<Picture> Photo(int width, int height) {
  auto picture = std::make_shared<Picture>(Picture{width, height, {}});
  for (int i = 0; i < width * height; ++i) {
    const auto level = static_cast<uint8_t>(i * 7);
    picture->rgb.insert(picture->rgb.end(),
                        {level, uint8_t{90}, static_cast<uint8_t>(255 - level)});
  }
  return picture;
}

TEST(Canvas, PngIsAsLargeAsPointsAndDotsSay) {
  Canvas canvas(CanvasKind::kPng, 85 / 25.4 * 72, 20, 300, {});
  EXPECT_EQ(DecodePng(canvas.Finish(), "canvas").width, 1004);
  const Picture page = Drawn([](Canvas&) {}, 100);
  EXPECT_EQ(page.width, 56);  // 55.6
  EXPECT_EQ(page.height, 28);
  EXPECT_TRUE(std::all_of(page.rgb.begin(), page.rgb.end(), [](uint8_t c) { return c == 255; }));
}

TEST(Canvas, BoxesLinesAndCirclesStandWhereTheyAreDrawn) {
  const Picture page = Drawn([](Canvas& canvas) {
    canvas.FillBox({2, 3, 4, 5}, kRed);
    canvas.FillBox({2, 10, 4, 5}, {0, 0, 0}, 0.5);
    canvas.StrokeLine(10, 5, 20, 5, {kBlue, 2, {}});
    canvas.StrokeLine(10, 15, 20, 15, {kBlue, 2, {2, 2}});
    canvas.StrokeCircle(30, 10, 5, {kBlue, 2, {}});
    canvas.StrokeBox({22, 2, 4, 4}, {kRed, 2, {}});
  });
  EXPECT_EQ(At(page, 2, 3), kRed);
  EXPECT_EQ(At(page, 5, 7), kRed);
  EXPECT_EQ(At(page, 6, 7), kWhite);
  EXPECT_EQ(At(page, 1, 3), kWhite);
  EXPECT_NEAR(At(page, 3, 12)[0], 127, 1);
  for (int x = 10; x < 20; ++x) {
    EXPECT_EQ(At(page, x, 4), kBlue) << x;
    EXPECT_EQ(At(page, x, 15), (x - 10) % 4 < 2 ? kBlue : kWhite) << x;
  }
  EXPECT_EQ(At(page, 30, 10), kWhite);
  EXPECT_EQ(At(page, 34, 10), kBlue);
  EXPECT_EQ(At(page, 25, 10), kBlue);
  EXPECT_EQ(At(page, 22, 2), kRed);
  EXPECT_EQ(At(page, 24, 4), kWhite);
}

TEST(Canvas, NothingIsDrawnOutsideAClip) {
  const Picture page = Drawn([](Canvas& canvas) {
    canvas.PushClip({10, 5, 5, 5});
    canvas.FillBox({0, 0, 40, 20}, kRed);
    canvas.PopClip();
    canvas.FillBox({0, 19, 40, 1}, kBlue);
  });
  EXPECT_EQ(At(page, 10, 5), kRed);
  EXPECT_EQ(At(page, 14, 9), kRed);
  EXPECT_EQ(At(page, 15, 9), kWhite);
  EXPECT_EQ(At(page, 9, 5), kWhite);
  EXPECT_EQ(At(page, 0, 19), kBlue);
}

TEST(Canvas, GradientsGoFromLeftToRight) {
  const Picture page = Drawn([](Canvas& canvas) {
    canvas.FillGradient({0, 0, 40, 10}, {{0, 0, 0}, {100, 0, 0}, {200, 200, 0}});
  });
  EXPECT_NEAR(At(page, 0, 5)[0], 2, 3);
  EXPECT_NEAR(At(page, 20, 5)[0], 102, 4);
  EXPECT_NEAR(At(page, 20, 5)[1], 4, 4);
  EXPECT_NEAR(At(page, 39, 5)[1], 196, 5);
  EXPECT_EQ(At(page, 39, 10), kWhite);
}

TEST(Canvas, GradientsGoUpwards) {
  const Picture page = Drawn([](Canvas& canvas) {
    canvas.FillGradient({0, 0, 10, 20}, {{0, 0, 0}, {200, 0, 0}}, true);
  });
  EXPECT_NEAR(At(page, 5, 19)[0], 5, 3);
  EXPECT_NEAR(At(page, 5, 0)[0], 195, 3);
  EXPECT_EQ(At(page, 10, 5), kWhite);
}

TEST(Canvas, PathsGoFromPointToPoint) {
  const Picture page = Drawn([](Canvas& canvas) {
    canvas.StrokePath({{5, 5}, {20, 5}, {20, 15}}, {kBlue, 2, {}});
    canvas.StrokePath({{30, 10}}, {kRed, 8, {}});
    canvas.StrokePath({{5, 17}, {13, 17}}, {kRed, 2, {2, 2}});
  });
  EXPECT_EQ(At(page, 6, 5), kBlue);
  EXPECT_EQ(At(page, 20, 14), kBlue);
  EXPECT_EQ(At(page, 12, 10), kWhite);  // not closed
  EXPECT_EQ(At(page, 30, 10), kWhite);  // a point is no line
  EXPECT_EQ(At(page, 5, 17), kRed);
  EXPECT_EQ(At(page, 7, 17), kWhite);
  EXPECT_EQ(At(page, 9, 17), kRed);
}

TEST(Canvas, PolygonsAreFilledEvenlyAndCirclesToo) {
  const Picture page = Drawn([](Canvas& canvas) {
    canvas.FillPolygon({{0, 0}, {10, 0}, {10, 20}, {0, 20}}, kRed, 0.5);
    canvas.FillPolygon({{12, 5}, {14, 5}}, kRed);
    canvas.FillCircle(30, 10, 4, kBlue);
  });
  for (int y = 0; y < 20; ++y) EXPECT_NEAR(At(page, 5, y)[1], 127, 1) << y;
  EXPECT_EQ(At(page, 10, 5), kWhite);
  EXPECT_EQ(At(page, 13, 5), kWhite);
  EXPECT_EQ(At(page, 30, 10), kBlue);
  EXPECT_EQ(At(page, 27, 10), kBlue);
  EXPECT_EQ(At(page, 25, 10), kWhite);
  EXPECT_EQ(At(page, 26, 6), kWhite);  // 4.9 from the middle
}

TEST(Canvas, CellsStaySharp) {
  CanvasCells cells{2, 1, {255, 0, 0, 255, 0, 0, 255, 51}};
  const Picture page = Drawn(
      [&](Canvas& canvas) {
        canvas.DrawCells(cells, {0, 0, 40, 20}, false);
      },
      300);
  ASSERT_EQ(page.width, 167);
  for (int x = 0; x < page.width - 1; ++x) {
    EXPECT_EQ(At(page, x, 40), x < 83 ? kRed : (Rgb{204, 204, 255})) << x;
  }
  const Picture smooth = Drawn(
      [&](Canvas& canvas) {
        canvas.DrawCells(cells, {0, 0, 40, 20}, true);
      },
      300);
  EXPECT_NE(At(smooth, 75, 40), kRed);
}

TEST(Canvas, PicturesFillTheirBoxes) {
  const auto photo = Photo(8, 4);
  const Picture page = Drawn([&](Canvas& canvas) {
    canvas.DrawPicture({photo, nullptr}, {4, 4, 8, 4});
  });
  EXPECT_EQ(At(page, 4, 4), At(*photo, 0, 0));
  EXPECT_EQ(At(page, 11, 7), At(*photo, 7, 3));
  EXPECT_EQ(At(page, 12, 7), kWhite);
}

TEST(Canvas, TextIsDrawnInItsColour) {
  const Typesetter type;
  const SetText text = type.Line("HH", {10, true, kRed});
  const Picture page = Drawn([&](Canvas& canvas) { canvas.DrawText(text, 2, 3); }, 144);
  int red = 0, left = page.width, right = 0, top = page.height, bottom = 0;
  for (int y = 0; y < page.height; ++y) {
    for (int x = 0; x < page.width; ++x) {
      if (At(page, x, y) == kWhite) continue;
      red += At(page, x, y) == kRed;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  EXPECT_GT(red, 50);
  EXPECT_GE(left, 4);
  EXPECT_LE(right, 4 + 2 * text.width());
  EXPECT_NEAR(bottom + 1, 2 * (3 + text.ascent()), 1);
  EXPECT_NEAR(bottom + 1 - top, 2 * 7.3, 2);  // Inter's capitals are 0.727 em high
}

TEST(Canvas, TextIsTurnedToBeReadFromBelow) {
  const Typesetter type;
  const SetText text = type.Line("HHH", {6, true, kRed});
  const Picture page = Drawn(
      [&](Canvas& canvas) {
        canvas.DrawTextUpwards(text, 10, 18);
        canvas.FillBox({38, 0, 2, 2}, kRed);  // what comes after it is not turned
      },
      144);
  int left = page.width, right = 0, top = page.height, bottom = 0;
  for (int y = 0; y < page.height; ++y) {
    for (int x = 0; x < 70; ++x) {
      if (At(page, x, y) == kWhite) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  EXPECT_NEAR(right + 1, 2 * (10 + text.ascent()), 1);  // the letters' feet
  EXPECT_NEAR(right + 1 - left, 2 * 6 * 0.727, 2);
  EXPECT_LE(bottom, 2 * 18);
  EXPECT_NEAR(bottom + 1 - top, 2 * text.width(), 3);
  EXPECT_EQ(At(page, 78, 2), kRed);
}

TEST(Canvas, PngSaysWhatItIs) {
  Canvas canvas(CanvasKind::kPng, 40, 20, 300, {"Täler", "vggt-attn 1", "{\"layer\": 3}"});
  const std::string file = Text(canvas.Finish());
  EXPECT_THAT(file, HasSubstr("pHYs" + std::string("\0\0\x2e\x23\0\0\x2e\x23\x01", 9)));
  EXPECT_THAT(file, HasSubstr(std::string("iTXtTitle\0\0\0\0\0Täler", 20)));
  EXPECT_THAT(file, HasSubstr("{\"layer\": 3}"));
  EXPECT_THAT(file, HasSubstr("vggt-attn 1"));
}

std::vector<uint8_t> Page(CanvasKind kind) {
  Canvas canvas(kind, 100, 50, 150, {"A title", "vggt-attn 1", "{\"layer\": 3}"});
  const auto photo = Photo(16, 8);
  const CanvasPicture picture{
      photo, std::make_shared<std::vector<uint8_t>>(EncodeJpeg(*photo, 80, "photo"))};
  canvas.DrawPicture(picture, {0, 0, 50, 25});
  canvas.DrawPicture(picture, {50, 0, 25, 12});
  canvas.DrawCells({2, 1, {255, 0, 0, 255, 0, 0, 255, 51}}, {0, 0, 50, 25}, false);
  canvas.PushClip({0, 30, 20, 20});
  canvas.FillGradient({0, 30, 50, 5}, {kRed, kBlue});
  canvas.PopClip();
  canvas.DrawText(Typesetter().Line("Layer 3 ≥ 0.5", {8, false, kBlue}), 2, 38);
  return canvas.Finish();
}

TEST(Canvas, PdfHoldsFontsAndJpegsAsTheyAre) {
  const std::string file = Text(Page(CanvasKind::kPdf));
  EXPECT_EQ(file.rfind("%PDF-1.", 0), 0U);
  EXPECT_THAT(file, HasSubstr("/MediaBox [ 0 0 100 50 ]"));
  EXPECT_THAT(file, HasSubstr("/FontFile3"));
  EXPECT_THAT(file, HasSubstr("+Inter-Regular"));
  EXPECT_THAT(file, Not(HasSubstr("/Type3")));
  EXPECT_EQ(Count(file, "/DCTDecode"), 1U);
  EXPECT_THAT(file, HasSubstr(Text(EncodeJpeg(*Photo(16, 8), 80, "photo"))));
  EXPECT_THAT(file, HasSubstr("/Title (A title)"));
  EXPECT_THAT(file, HasSubstr("/Subject ({\"layer\": 3})"));
  EXPECT_THAT(file, HasSubstr("/Creator (vggt-attn 1)"));
  EXPECT_THAT(file, Not(HasSubstr("CreationDate")));
}

TEST(Canvas, SvgHoldsPicturesAndNotes) {
  const std::string file = Text(Page(CanvasKind::kSvg));
  EXPECT_THAT(file, HasSubstr("width=\"100pt\" height=\"50pt\""));
  EXPECT_EQ(Count(file, "data:image/jpeg;base64,"), 1U);
  EXPECT_EQ(Count(file, "data:image/png;base64,"), 1U);
  EXPECT_THAT(file, HasSubstr("image-rendering"));
  EXPECT_THAT(file, HasSubstr("<title>A title</title>"));
  EXPECT_THAT(file, HasSubstr("<metadata>{\"layer\": 3}</metadata>"));
}

TEST(Canvas, TheSameDrawingGivesTheSameBytes) {
  for (const CanvasKind kind : {CanvasKind::kPng, CanvasKind::kSvg, CanvasKind::kPdf}) {
    const std::vector<uint8_t> first = Page(kind);
    std::vector<std::vector<uint8_t>> others(4);
    std::vector<std::thread> threads;
    for (auto& other : others) threads.emplace_back([&other, kind] { other = Page(kind); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& other : others) EXPECT_EQ(other, first) << static_cast<int>(kind);
  }
}

TEST(Canvas, PagesAreBounded) {
  const auto open = [](CanvasKind kind, double width, double height, double dpi) {
    return ErrorOf([=] { const Canvas canvas(kind, width, height, dpi, {}); });
  };
  EXPECT_THAT(open(CanvasKind::kPng, 1000, 10000, 600),
              HasSubstr("a figure of 8334 × 83334 pixels"));
  EXPECT_THAT(open(CanvasKind::kPng, 4000, 4000, 300), HasSubstr("is too large"));
  EXPECT_THAT(open(CanvasKind::kPdf, 500, 14401, 300), HasSubstr("176 × 5080 mm is too large"));
  EXPECT_THAT(open(CanvasKind::kSvg, 500, 14401, 300), HasSubstr("is too large"));
  for (const CanvasKind kind : {CanvasKind::kPdf, CanvasKind::kSvg}) {
    const Canvas whole(kind, 600, 14400, 300, {});
    EXPECT_THAT(open(kind, 1134, 14400, 300), HasSubstr("is too large"));
  }
}

}  // namespace
}  // namespace vggt
