// SPDX-License-Identifier: Apache-2.0
#include "render/canvas.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <fmt/format.h>
#include <pango/pangocairo.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numbers>

#include "core/error.h"
#include "image/png_codec.h"
#include "render/svg_text.h"

namespace vggt {
namespace {

constexpr double kMostPoints = 14400;  // of a side of a PDF, which readers show
constexpr int kMostSide = 32767;       // of Cairo's pictures, in pixels

struct FreeSurface {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
using Surface = std::unique_ptr<cairo_surface_t, FreeSurface>;

struct FreeContext {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};

void Check(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS) {
    throw Error(fmt::format("cannot draw the figure: {}", cairo_status_to_string(status)));
  }
}

Surface Checked(cairo_surface_t* surface) {
  Surface owned(surface);
  Check(cairo_surface_status(surface));
  return owned;
}

cairo_status_t Append(void* file, const unsigned char* bytes, unsigned size) {
  auto* to = static_cast<std::vector<uint8_t>*>(file);
  try {
    to->insert(to->end(), bytes, bytes + size);
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

void SetColour(cairo_t* cr, const Rgb& colour, double opacity = 1) {
  cairo_set_source_rgba(cr, colour[0] / 255.0, colour[1] / 255.0, colour[2] / 255.0, opacity);
}

// The word of four bytes that Cairo keeps for a pixel, its colours multiplied by its opacity.
uint32_t Premultiplied(const uint8_t* rgba) {
  const uint32_t a = rgba[3];
  const auto times = [a](uint32_t channel) { return (channel * a + 127) / 255; };
  return a << 24 | times(rgba[0]) << 16 | times(rgba[1]) << 8 | times(rgba[2]);
}

Surface SurfaceOf(const Picture& picture) {
  Surface surface =
      Checked(cairo_image_surface_create(CAIRO_FORMAT_RGB24, picture.width, picture.height));
  unsigned char* rows = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  const uint8_t* rgb = picture.rgb.data();
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x, rgb += 3) {
      const uint32_t word = uint32_t{rgb[0]} << 16 | uint32_t{rgb[1]} << 8 | rgb[2];
      std::memcpy(rows + ptrdiff_t{y} * stride + ptrdiff_t{4} * x, &word, sizeof(word));
    }
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

Surface SurfaceOf(const CanvasCells& cells) {
  Surface surface =
      Checked(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, cells.width, cells.height));
  unsigned char* rows = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  const uint8_t* rgba = cells.rgba.data();
  for (int y = 0; y < cells.height; ++y) {
    for (int x = 0; x < cells.width; ++x, rgba += 4) {
      const uint32_t word = Premultiplied(rgba);
      std::memcpy(rows + ptrdiff_t{y} * stride + ptrdiff_t{4} * x, &word, sizeof(word));
    }
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

// Keeps `bytes` alive for as long as Cairo wants them.
void AttachJpeg(cairo_surface_t* surface, std::shared_ptr<const std::vector<uint8_t>> bytes) {
  auto* held = new std::shared_ptr<const std::vector<uint8_t>>(std::move(bytes));
  const cairo_status_t status = cairo_surface_set_mime_data(
      surface, CAIRO_MIME_TYPE_JPEG, (*held)->data(), (*held)->size(),
      [](void* each) { delete static_cast<std::shared_ptr<const std::vector<uint8_t>>*>(each); },
      held);
  if (status != CAIRO_STATUS_SUCCESS) delete held;
  Check(status);
}

}  // namespace

struct Canvas::Impl {
  CanvasKind kind;
  double width, height, dpi;
  CanvasNotes notes;
  std::vector<uint8_t> file;
  Surface surface;
  std::unique_ptr<cairo_t, FreeContext> context;
  // The key keeps the pixels, and so their address, alive.
  std::map<std::shared_ptr<const Picture>, Surface> pictures;

  void OpenPng();
  void OpenVector();
  void SetStroke(const Stroke& stroke) const;
  void Paint(cairo_surface_t* image, int image_width, int image_height, const Box& box,
             cairo_filter_t filter) const;
  std::vector<uint8_t> FinishPng();
};

void Canvas::Impl::OpenPng() {
  const double scale = dpi / 72;
  const double across = std::ceil(width * scale - 1e-6), down = std::ceil(height * scale - 1e-6);
  if (!(across * down <= static_cast<double>(kMostCanvasPixels)) || across > kMostSide ||
      down > kMostSide) {
    throw Error(fmt::format("a figure of {:.0f} × {:.0f} pixels is too large", across, down), "",
                "Choose a smaller `dpi` or `width`, fewer pictures, or PDF.");
  }
  surface = Checked(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(across),
                                               static_cast<int>(down)));
  cairo_surface_set_device_scale(surface.get(), scale, scale);
}

void Canvas::Impl::OpenVector() {
  constexpr double kMostArea = kMostCanvasPixels * (72.0 / 300) * (72.0 / 300);
  if (!(width <= kMostPoints && height <= kMostPoints && width * height <= kMostArea)) {
    throw Error(fmt::format("a figure of {:.0f} × {:.0f} mm is too large", width * 25.4 / 72,
                            height * 25.4 / 72),
                "", "Choose fewer pictures, layers or heads.");
  }
  if (kind == CanvasKind::kSvg) {
    surface = Checked(cairo_svg_surface_create_for_stream(Append, &file, width, height));
    return;
  }
  surface = Checked(cairo_pdf_surface_create_for_stream(Append, &file, width, height));
  const auto note = [this](cairo_pdf_metadata_t key, const std::string& text) {
    if (!text.empty()) cairo_pdf_surface_set_metadata(surface.get(), key, text.c_str());
  };
  note(CAIRO_PDF_METADATA_TITLE, notes.title);
  note(CAIRO_PDF_METADATA_CREATOR, notes.creator);
  note(CAIRO_PDF_METADATA_SUBJECT, notes.recipe);
  // No time, so that the same figure gives the same bytes.
  cairo_pdf_surface_set_metadata(surface.get(), CAIRO_PDF_METADATA_CREATE_DATE, nullptr);
}

Canvas::Canvas(CanvasKind kind, double width, double height, double dpi, CanvasNotes notes)
    : impl_(new Impl{kind, width, height, dpi, std::move(notes), {}, {}, {}, {}}) {
  for (std::string* text : {&impl_->notes.title, &impl_->notes.creator, &impl_->notes.recipe}) {
    *text = ValidText(*text);
  }
  kind == CanvasKind::kPng ? impl_->OpenPng() : impl_->OpenVector();
  impl_->context.reset(cairo_create(impl_->surface.get()));
  Check(cairo_status(impl_->context.get()));
  // Everywhere: the last pixels of a PNG may lie partly outside the page.
  SetColour(impl_->context.get(), {255, 255, 255});
  cairo_paint(impl_->context.get());
}

Canvas::~Canvas() = default;

void Canvas::FillBox(const Box& box, const Rgb& colour, double opacity) {
  cairo_t* cr = impl_->context.get();
  SetColour(cr, colour, opacity);
  cairo_rectangle(cr, box.x, box.y, box.width, box.height);
  cairo_fill(cr);
}

void Canvas::FillRounded(const Box& box, double radius, const Rgb& colour, double opacity) {
  cairo_t* cr = impl_->context.get();
  constexpr double kQuarter = std::numbers::pi / 2;
  const double r = std::min({radius, box.width / 2, box.height / 2});
  cairo_new_sub_path(cr);
  cairo_arc(cr, box.right() - r, box.y + r, r, -kQuarter, 0);
  cairo_arc(cr, box.right() - r, box.bottom() - r, r, 0, kQuarter);
  cairo_arc(cr, box.x + r, box.bottom() - r, r, kQuarter, 2 * kQuarter);
  cairo_arc(cr, box.x + r, box.y + r, r, 2 * kQuarter, 3 * kQuarter);
  cairo_close_path(cr);
  SetColour(cr, colour, opacity);
  cairo_fill(cr);
}

void Canvas::Impl::SetStroke(const Stroke& stroke) const {
  cairo_t* cr = context.get();
  SetColour(cr, stroke.colour);
  cairo_set_line_width(cr, stroke.width);
  cairo_set_dash(cr, stroke.dash.data(), static_cast<int>(stroke.dash.size()), 0);
}

void Canvas::StrokeBox(const Box& box, const Stroke& stroke) {
  impl_->SetStroke(stroke);
  cairo_rectangle(impl_->context.get(), box.x, box.y, box.width, box.height);
  cairo_stroke(impl_->context.get());
}

void Canvas::StrokeLine(double from_x, double from_y, double to_x, double to_y,
                        const Stroke& stroke) {
  impl_->SetStroke(stroke);
  cairo_move_to(impl_->context.get(), from_x, from_y);
  cairo_line_to(impl_->context.get(), to_x, to_y);
  cairo_stroke(impl_->context.get());
}

void Canvas::StrokeCircle(double x, double y, double radius, const Stroke& stroke) {
  impl_->SetStroke(stroke);
  cairo_new_sub_path(impl_->context.get());
  cairo_arc(impl_->context.get(), x, y, radius, 0, 2 * std::numbers::pi);
  cairo_stroke(impl_->context.get());
}

void Canvas::StrokePath(const std::vector<Point>& points, const Stroke& stroke) {
  if (points.size() < 2) return;
  cairo_t* cr = impl_->context.get();
  impl_->SetStroke(stroke);
  cairo_save(cr);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  // Round ends would close the gaps of a dashed line.
  if (stroke.dash.empty()) cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
  for (const Point& point : points) cairo_line_to(cr, point.x, point.y);
  cairo_stroke(cr);
  cairo_restore(cr);
}

void Canvas::FillPolygon(const std::vector<Point>& points, const Rgb& colour, double opacity) {
  if (points.size() < 3) return;
  cairo_t* cr = impl_->context.get();
  SetColour(cr, colour, opacity);
  for (const Point& point : points) cairo_line_to(cr, point.x, point.y);
  cairo_close_path(cr);
  cairo_fill(cr);
}

void Canvas::FillCircle(double x, double y, double radius, const Rgb& colour, double opacity) {
  cairo_t* cr = impl_->context.get();
  SetColour(cr, colour, opacity);
  cairo_new_sub_path(cr);
  cairo_arc(cr, x, y, radius, 0, 2 * std::numbers::pi);
  cairo_fill(cr);
}

void Canvas::FillGradient(const Box& box, const std::vector<Rgb>& colours, bool upwards) {
  cairo_t* cr = impl_->context.get();
  cairo_pattern_t* pattern = upwards ? cairo_pattern_create_linear(0, box.bottom(), 0, box.y)
                                     : cairo_pattern_create_linear(box.x, 0, box.right(), 0);
  for (size_t i = 0; i < colours.size(); ++i) {
    const double at = colours.size() < 2 ? 0 : static_cast<double>(i) / (colours.size() - 1.0);
    cairo_pattern_add_color_stop_rgb(pattern, at, colours[i][0] / 255.0, colours[i][1] / 255.0,
                                     colours[i][2] / 255.0);
  }
  cairo_set_source(cr, pattern);
  cairo_pattern_destroy(pattern);
  cairo_rectangle(cr, box.x, box.y, box.width, box.height);
  cairo_fill(cr);
}

void Canvas::DrawText(const SetText& text, double x, double y) {
  if (text.empty()) return;
  cairo_t* cr = impl_->context.get();
  SetColour(cr, text.colour());
  cairo_move_to(cr, x, y);
  if (impl_->kind == CanvasKind::kPng) {
    // Cairo places the letters of text on whole pixels, and outlines exactly.
    pango_cairo_layout_path(cr, text.layout());
    cairo_fill(cr);
  } else {
    pango_cairo_show_layout(cr, text.layout());
  }
  cairo_new_path(cr);
}

void Canvas::DrawTextUpwards(const SetText& text, double x, double y) {
  cairo_t* cr = impl_->context.get();
  cairo_save(cr);
  cairo_translate(cr, x, y);
  cairo_rotate(cr, -std::numbers::pi / 2);
  DrawText(text, 0, 0);
  cairo_restore(cr);
}

void Canvas::Impl::Paint(cairo_surface_t* image, int image_width, int image_height, const Box& box,
                         cairo_filter_t filter) const {
  if (!(box.width > 0 && box.height > 0)) return;
  cairo_t* cr = context.get();
  cairo_save(cr);
  cairo_translate(cr, box.x, box.y);
  cairo_scale(cr, box.width / image_width, box.height / image_height);
  cairo_set_source_surface(cr, image, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cr), filter);
  if (kind == CanvasKind::kPng) {
    // Nothing from beyond the edge is mixed into the pixels at it.
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_rectangle(cr, 0, 0, image_width, image_height);
    cairo_fill(cr);
  } else {
    cairo_paint(cr);  // the only way in which Cairo keeps an image as it is
  }
  cairo_restore(cr);
}

void Canvas::DrawPicture(const CanvasPicture& picture, const Box& box) {
  Surface& surface = impl_->pictures[picture.pixels];
  if (!surface) {
    surface = SurfaceOf(*picture.pixels);
    if (picture.jpeg && impl_->kind != CanvasKind::kPng) AttachJpeg(surface.get(), picture.jpeg);
  }
  impl_->Paint(surface.get(), picture.pixels->width, picture.pixels->height, box,
               CAIRO_FILTER_GOOD);
}

void Canvas::DrawCells(const CanvasCells& cells, const Box& box, bool smooth) {
  const Surface surface = SurfaceOf(cells);
  impl_->Paint(surface.get(), cells.width, cells.height, box,
               smooth ? CAIRO_FILTER_GOOD : CAIRO_FILTER_NEAREST);
}

void Canvas::PushClip(const Box& box) {
  cairo_t* cr = impl_->context.get();
  cairo_save(cr);
  cairo_rectangle(cr, box.x, box.y, box.width, box.height);
  cairo_clip(cr);
}

void Canvas::PopClip() { cairo_restore(impl_->context.get()); }

std::vector<uint8_t> Canvas::Impl::FinishPng() {
  const int across = cairo_image_surface_get_width(surface.get());
  const int down = cairo_image_surface_get_height(surface.get());
  const unsigned char* rows = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  std::vector<uint8_t> rgb(size_t{3} * across * down);
  uint8_t* to = rgb.data();
  for (int y = 0; y < down; ++y) {
    for (int x = 0; x < across; ++x, to += 3) {
      uint32_t word;
      std::memcpy(&word, rows + ptrdiff_t{y} * stride + ptrdiff_t{4} * x, sizeof(word));
      to[0] = static_cast<uint8_t>(word >> 16 & 255);
      to[1] = static_cast<uint8_t>(word >> 8 & 255);
      to[2] = static_cast<uint8_t>(word & 255);
    }
  }
  return EncodePng(
      across, down, rgb, "the figure",
      {.dpi = dpi, .title = notes.title, .software = notes.creator, .description = notes.recipe});
}

std::vector<uint8_t> Canvas::Finish() {
  Impl& canvas = *impl_;
  Check(cairo_status(canvas.context.get()));
  canvas.context.reset();
  cairo_surface_flush(canvas.surface.get());
  if (canvas.kind == CanvasKind::kPng) return canvas.FinishPng();
  cairo_surface_finish(canvas.surface.get());
  Check(cairo_surface_status(canvas.surface.get()));
  if (canvas.kind == CanvasKind::kPdf) return std::move(canvas.file);
  return FinishedSvg(canvas.file, {canvas.notes.title, canvas.notes.creator, canvas.notes.recipe});
}

}  // namespace vggt
