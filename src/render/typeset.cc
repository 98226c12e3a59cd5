// SPDX-License-Identifier: Apache-2.0
#include "render/typeset.h"

#include <pango/pangocairo.h>
#include <pango/pangofc-fontmap.h>

#include <cmath>

#include "render/fonts.h"

namespace vggt {
namespace {

constexpr size_t kMostText = 4000;  // bytes: a page. Breaking long texts takes long

std::string Clean(const std::string& text) {
  char* valid =
      g_utf8_make_valid(text.data(), static_cast<gssize>(std::min(text.size(), kMostText)));
  std::string clean(valid);
  g_free(valid);
  for (char& letter : clean) {
    if (static_cast<unsigned char>(letter) < ' ' || letter == '\x7f') letter = ' ';
  }
  return text.size() > kMostText ? clean + "…" : clean;
}

}  // namespace

Typesetter::Typesetter() {
  FcConfig* const all = AllFonts();
  PangoFontMap* fonts = pango_cairo_font_map_new_for_font_type(CAIRO_FONT_TYPE_FT);
  fonts_ = {fonts, [](PangoFontMap* each) { g_object_unref(each); }};
  pango_fc_font_map_set_config(PANGO_FC_FONT_MAP(fonts), all);
  PangoContext* context = pango_font_map_create_context(fonts);
  context_ = {context, [](PangoContext* each) { g_object_unref(each); }};
  // Letters stand where the font says and not where pixels are, so that text is as wide in every
  // output.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  pango_cairo_context_set_font_options(context, options);
  cairo_font_options_destroy(options);
  pango_context_set_round_glyph_positions(context, FALSE);
  // Not the language of whoever runs the program: figures are the same everywhere.
  pango_context_set_language(context, pango_language_from_string("en"));
  pango_context_set_base_dir(context, PANGO_DIRECTION_LTR);
}

SetText Typesetter::Line(const std::string& text, const TextStyle& style) const {
  return Set(text, style, -1, false);
}

SetText Typesetter::Line(const std::string& text, const TextStyle& style, double width) const {
  return Set(text, style, std::max(width, 0.0), false);
}

SetText Typesetter::Paragraph(const std::string& text, const TextStyle& style, double width) const {
  return Set(text, style, std::max(width, 1.0), true);
}

double Typesetter::Width(const std::string& text, const TextStyle& style) const {
  return Line(text, style).width();
}

SetText Typesetter::Set(const std::string& text, const TextStyle& style, double width,
                        bool wrap) const {
  SetText set;
  if (text.empty()) return set;
  PangoLayout* layout = pango_layout_new(context_.get());
  set.layout_ = {layout, [](PangoLayout* each) { g_object_unref(each); }};
  PangoFontDescription* font = pango_font_description_new();
  pango_font_description_set_family_static(font, kFontFamily);
  pango_font_description_set_weight(font, style.bold ? PANGO_WEIGHT_SEMIBOLD : PANGO_WEIGHT_NORMAL);
  pango_font_description_set_absolute_size(font, style.size * PANGO_SCALE);
  pango_layout_set_font_description(layout, font);
  pango_font_description_free(font);
  const std::string clean = Clean(text);
  pango_layout_set_text(layout, clean.data(), static_cast<int>(clean.size()));
  if (width >= 0) {
    pango_layout_set_width(layout, static_cast<int>(std::floor(width * PANGO_SCALE)));
    if (wrap) {
      pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    } else {
      pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_MIDDLE);
    }
  }
  if (!wrap) pango_layout_set_single_paragraph_mode(layout, TRUE);
  PangoRectangle logical;
  pango_layout_get_extents(layout, nullptr, &logical);
  set.width_ = static_cast<double>(logical.width) / PANGO_SCALE;
  set.height_ = static_cast<double>(logical.height) / PANGO_SCALE;
  set.ascent_ = static_cast<double>(pango_layout_get_baseline(layout)) / PANGO_SCALE;
  set.lines_ = pango_layout_get_line_count(layout);
  set.shortened_ = pango_layout_is_ellipsized(layout) != FALSE;
  set.colour_ = style.colour;
  return set;
}

}  // namespace vggt
