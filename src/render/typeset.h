// SPDX-License-Identifier: Apache-2.0
// Text, set in lines: how much room it takes, and what a canvas draws. Lengths are points (1/72
// inch).
#pragma once

#include <memory>
#include <string>

#include "render/colormap.h"

// Pango's objects, by the names that Pango gives them, which only the sources use.
struct _PangoContext;  // NOLINT(bugprone-reserved-identifier)
struct _PangoFontMap;  // NOLINT(bugprone-reserved-identifier)
struct _PangoLayout;   // NOLINT(bugprone-reserved-identifier)

namespace vggt {

struct TextStyle {
  double size = 7;  // points
  bool bold = false;
  Rgb colour = {22, 24, 29};
};

// Text with its places of letters. It lives no longer than the Typesetter that made it.
class SetText {
 public:
  bool empty() const { return !layout_; }
  double width() const { return width_; }    // of the longest line
  double height() const { return height_; }  // of all lines
  double ascent() const { return ascent_; }  // from the top to the first line's baseline
  int lines() const { return lines_; }
  bool shortened() const { return shortened_; }
  const Rgb& colour() const { return colour_; }
  _PangoLayout* layout() const { return layout_.get(); }

 private:
  friend class Typesetter;

  std::shared_ptr<_PangoLayout> layout_;
  double width_ = 0, height_ = 0, ascent_ = 0;
  int lines_ = 0;
  bool shortened_ = false;
  Rgb colour_ = {};
};

// Sets text in the program's own font. What letters it takes and where they stand depends on
// neither output nor resolution. One object is for one thread at a time; several may be used at
// once.
class Typesetter {
 public:
  // Throws Error if the fonts cannot be loaded.
  Typesetter();

  // Of longer texts than 4000 bytes only the beginning is set, and "…".

  // One line. What is wider than `width` loses its middle, for which "…" stands. Line breaks and
  // control characters count as spaces; invalid UTF-8 becomes "\ufffd".
  SetText Line(const std::string& text, const TextStyle& style) const;
  SetText Line(const std::string& text, const TextStyle& style, double width) const;
  // Lines no wider than `width`, broken between words, or within a word that is wider.
  SetText Paragraph(const std::string& text, const TextStyle& style, double width) const;
  // Of one line.
  double Width(const std::string& text, const TextStyle& style) const;

 private:
  // `width` < 0: no bound
  SetText Set(const std::string& text, const TextStyle& style, double width, bool wrap) const;

  std::shared_ptr<_PangoFontMap> fonts_;
  std::shared_ptr<_PangoContext> context_;
};

}  // namespace vggt
