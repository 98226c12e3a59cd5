// SPDX-License-Identifier: Apache-2.0
#include "figure/figure_parts.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "render/map_cells.h"

namespace vggt {
namespace {

constexpr double kTallest = 1.8;  // height of a box over its width: taller pictures are narrower
constexpr double kUnseen = 0.7;   // opacity of white over what the model has not seen

constexpr Rgb kEmpty = {241, 242, 244}, kBlack = {0, 0, 0}, kWhite = {255, 255, 255};
constexpr Rgb kTarget = {255, 149, 0};

constexpr TextStyle kGroupTitle = {7.5, true, kInk};
constexpr TextStyle kColumnTitle = {7, true, kInk}, kColumnSubtitle = {6, false, kQuiet};
constexpr TextStyle kLabel = {7, false, kQuiet}, kSmallLabel = {6, false, kQuiet};
constexpr TextStyle kTick = {7, false, kInk}, kBarLabel = {6.5, false, kQuiet};
constexpr TextStyle kBadge = {6, true, kWhite};

// A rectangle of a picture, on the page.
Box Onto(const Box& part, const FrameGeometry& geometry, const Box& place) {
  const double across = place.width / geometry.width(), down = place.height / geometry.height();
  return {place.x + part.x * across, place.y + part.y * down, part.width * across,
          part.height * down};
}

// The largest place of a picture's shape in a box: in its middle, at its lower edge, so that
// pictures of different heights stand on one line.
Box Fitted(const FrameGeometry& geometry, const Box& box) {
  const double factor = std::min(box.width / geometry.width(), box.height / geometry.height());
  const double width = geometry.width() * factor, height = geometry.height() * factor;
  return {box.x + (box.width - width) / 2, box.bottom() - height, width, height};
}

Point Middle(const Box& box) { return {box.x + box.width / 2, box.y + box.height / 2}; }

const TextStyle& CaptionStyle(double width) { return width < Mm(20) ? kSmallLabel : kLabel; }

}  // namespace

Stroke QueryStroke(int query, double width) {
  switch (query) {
    case 2:
      return {{255, 92, 205}, width, {2.4, 1.4}};
    case 3:
      return {{255, 221, 51}, width, {0.9, 0.9}};
    case 4:
      return {{77, 208, 255}, width, {3.6, 1, 0.9, 1}};
    default:
      return {{0, 208, 90}, width, {}};
  }
}

FigureParts::FigureParts(const Figure& figure, const std::vector<FrameGeometry>& geometries,
                         const Typesetter& typesetter)
    : figure_(figure), geometries_(geometries), type_(typesetter) {
  sheet_.width = Mm(figure.width);
  sheet_.picture_widths.assign(figure.frames.size(), 0);
  for (const FigurePanel& panel : figure.panels) {
    for (const FigureMark& mark : panel.marks) most_query_ = std::max(most_query_, mark.query);
  }
  for (const FigureGroup& group : figure.groups) most_query_ = std::max(most_query_, group.query);
}

void FigureParts::Text(const SetText& text, double x, double y) {
  if (text.empty()) return;
  Draw([=](const DrawingTools& tools) { tools.canvas.DrawText(text, x, y); });
}

Sheet FigureParts::Finish(double height) {
  sheet_.height = height;
  sheet_.draws.insert(sheet_.draws.end(), marks_.begin(), marks_.end());
  return std::move(sheet_);
}

// Two strokes, the lower one black, so that it is seen on every picture.
void FigureParts::Outline(const Box& box, const Stroke& stroke, Draws& draws) {
  draws.emplace_back([=](const DrawingTools& tools) {
    tools.canvas.StrokeBox(box, {kBlack, stroke.width + 0.9, {}});
    tools.canvas.StrokeBox(box, stroke);
  });
}

void FigureParts::Map(size_t frame, const FigureMap& map, const Box& place) {
  const FrameGeometry& geometry = geometries_[frame];
  const FigureGrid& grid = figure_.frames[frame].grid;
  const FigureBar& bar = figure_.bars[map.bar];
  const FigureLooks& looks = figure_.looks;
  const Box box = Onto(geometry.map(), geometry, place);
  const Box clip = Intersection(Onto(geometry.clip(), geometry, place), place);
  const CellColours colours = {bar.colormap,  map.range,   looks.gamma,
                               looks.opacity, looks.alone, bar.diverging};
  Draw([=, &map, smooth = looks.smooth](const DrawingTools& tools) {
    // In PDF and SVG a cell has several pixels, so that programs which smooth what they enlarge
    // leave it sharp.
    int enlarged = 1;
    if (smooth || tools.kind != CanvasKind::kPng) {
      const double pixels = box.width / 72 * tools.dpi / static_cast<double>(grid.cols);
      enlarged = std::clamp(static_cast<int>(std::ceil(pixels)), 2, smooth ? 24 : 12);
    }
    tools.canvas.PushClip(clip);
    tools.canvas.DrawCells(CellsOf(map.values, grid.rows, grid.cols, colours, enlarged, smooth),
                           box, smooth);
    tools.canvas.PopClip();
  });
}

void FigureParts::Frame(size_t frame, const FigureMap* map, bool with_picture, const Box& place) {
  if (with_picture && !figure_.frames[frame].picture.empty()) {
    double& widest = sheet_.picture_widths[frame];
    widest = std::max(widest, place.width);
    Draw(
        [=](const DrawingTools& tools) { tools.canvas.DrawPicture(tools.pictures[frame], place); });
  } else {
    Draw([=](const DrawingTools& tools) { tools.canvas.FillBox(place, kEmpty); });
  }
  const FrameGeometry& geometry = geometries_[frame];
  for (const Box& part : geometry.Cropped()) {
    const Box box = Onto(part, geometry, place);
    Draw([=](const DrawingTools& tools) { tools.canvas.FillBox(box, kWhite, kUnseen); });
  }
  if (map != nullptr) Map(frame, *map, place);
}

SetText FigureParts::Shortened(const std::string& label, const std::string& short_label,
                               const TextStyle& style, double width) const {
  const SetText whole = type_.Line(label, style, width);
  return whole.shortened() && !short_label.empty() ? type_.Line(short_label, style, width) : whole;
}

// What of the width a label has beside the note: the same beside all notes, so that names next to
// each other are shortened alike.
double FigureParts::LabelRoom(const FigureCell& cell, double width) const {
  if (cell.note.empty()) return width;
  const TextStyle& style = CaptionStyle(width);
  return width - Mm(1.2) - std::max(type_.Width(cell.note, style), type_.Width("100 %", style));
}

bool FigureParts::NoteStandsBelow(const FigureCell& cell, double width) const {
  const std::string& least = cell.short_label.empty() ? cell.label : cell.short_label;
  const double room = LabelRoom(cell, width);
  return room < Mm(12) && type_.Width(least, CaptionStyle(width)) > room;
}

double FigureParts::Caption(const FigureCell& cell, const Box& place, bool note_below) {
  if (cell.label.empty() && cell.note.empty()) return 0;
  const TextStyle& style = CaptionStyle(place.width);
  const double top = place.bottom() + Mm(0.5);
  const double room = note_below ? place.width : LabelRoom(cell, place.width);
  const SetText label = Shortened(cell.label, cell.short_label, style, room);
  const SetText note = type_.Line(cell.note, style, place.width);
  Text(label, place.x, top);
  Text(note, note_below ? place.x : place.right() - note.width(),
       top + (note_below ? label.height() : 0));
  return Mm(0.5) +
         (note_below ? label.height() + note.height() : std::max(label.height(), note.height()));
}

// The line from the query to its best match, where it crosses the two pictures that it joins: what
// lies between is other pictures.
void FigureParts::MatchLine(const Box& place, Point match, int query) {
  const auto start = std::find_if(starts_.begin(), starts_.end(),
                                  [query](const Start& each) { return each.query == query; });
  if (start == starts_.end()) return;
  const Point from = start->at;
  const Stroke stroke = QueryStroke(query, 0.7);
  for (const Box& within : {start->within, place}) {
    Draw([=](const DrawingTools& tools) {
      tools.canvas.PushClip(within);
      tools.canvas.StrokeLine(from.x, from.y, match.x, match.y, {kBlack, 1.2, stroke.dash});
      tools.canvas.StrokeLine(from.x, from.y, match.x, match.y, stroke);
      tools.canvas.PopClip();
    });
  }
}

Box FigureParts::Place(const FigureCell& cell, const Box& box) const {
  return Fitted(geometries_[cell.frame], box);
}

void FigureParts::BareCell(const FigureCell& cell, int query, const Box& box) {
  const FrameGeometry& geometry = geometries_[cell.frame];
  const Box place = Place(cell, box);
  Frame(cell.frame, cell.map ? &*cell.map : nullptr, cell.picture && !figure_.looks.alone, place);
  if (!cell.seen) Draw([=](const DrawingTools& t) { t.canvas.FillBox(place, kWhite, kUnseen); });
  const auto at = cell.match ? geometry.Cells(cell.match->row, cell.match->col, cell.match->row,
                                              cell.match->col)
                             : std::nullopt;
  if (at) {
    const Box match = Onto(*at, geometry, place);
    const Point middle = Middle(match);
    if (figure_.looks.lines) MatchLine(place, middle, query);
    const double radius = std::clamp(0.8 * std::max(match.width, match.height), 1.7, 4.2);
    const Rgb colour = most_query_ > 1 ? QueryStroke(query, 1).colour : kWhite;
    Draw([=](const DrawingTools& tools) {
      tools.canvas.StrokeCircle(middle.x, middle.y, radius, {kBlack, 1.7, {}});
      tools.canvas.StrokeCircle(middle.x, middle.y, radius, {colour, 0.9, {}});
    });
  }
}

double FigureParts::Cell(const FigureCell& cell, int query, const Box& box, bool note_below) {
  BareCell(cell, query, box);
  return box.height + Caption(cell, Place(cell, box), note_below);
}

void FigureParts::Mark(const FigureMark& mark, const FrameGeometry& geometry, const Box& place) {
  const auto cells = geometry.Cells(mark.row, mark.col, mark.last_row, mark.last_col);
  if (!cells) return;
  const Box at = Onto(*cells, geometry, place);
  // Around the cells, so that what they show stays visible.
  const Box box = {at.x - 0.6, at.y - 0.6, at.width + 1.2, at.height + 1.2};
  Outline(box, QueryStroke(mark.query, 1), marks_);
  const bool is_first = std::none_of(starts_.begin(), starts_.end(),
                                     [&](const Start& start) { return start.query == mark.query; });
  if (!is_first) return;
  starts_.push_back({mark.query, Middle(at), place});
  if (most_query_ < 2) return;
  const SetText number = type_.Line(std::to_string(mark.query), kBadge);
  const double width = number.width() + 3, height = 7.5;
  const bool fits_right = box.right() + 1.2 + width <= place.right();
  const double x = fits_right ? box.right() + 1.2 : box.x - 1.2 - width;
  const double y =
      std::clamp(Middle(at).y - height / 2, place.y, std::max(place.y, place.bottom() - height));
  marks_.emplace_back([=](const DrawingTools& tools) {
    tools.canvas.FillRounded({x, y, width, height}, 1.5, kBlack, 0.8);
    tools.canvas.DrawText(number, x + 1.5, y + (height - number.height()) / 2);
  });
}

double FigureParts::Panel(const FigurePanel& panel, double x, double top, double width) {
  const FrameGeometry& geometry = geometries_[panel.frame];
  const double height = std::min(geometry.height() / geometry.width(), kTallest) * width;
  Box place = Fitted(geometry, {x, top, width, height});
  place.x = x;
  Frame(panel.frame, nullptr, true, place);
  for (const FigureMark& mark : panel.marks) Mark(mark, geometry, place);
  if (panel.target) Outline(place, {kTarget, 1.2, {}}, sheet_.draws);
  SetText label = Shortened(panel.label, panel.short_label, kLabel, width);
  if (label.shortened()) {
    const std::string& least = panel.short_label.empty() ? panel.label : panel.short_label;
    const SetText lines = type_.Paragraph(least, kLabel, width);
    if (lines.lines() == 2) label = lines;
  }
  Text(label, x, top + height + Mm(0.6));
  return height + Mm(0.6) + label.height();
}

double FigureParts::Bar(const FigureBar& bar, double x, double top, double width) {
  constexpr double kHeight = Mm(2.2), kTickLength = Mm(0.8);
  std::vector<Rgb> colours;
  constexpr int kSteps = 64;
  const double gamma = figure_.looks.gamma;
  for (int i = 0; i <= kSteps; ++i) {
    const double at = static_cast<double>(i) / kSteps;
    const double side = 2 * at - 1;
    colours.push_back(ColourAt(
        bar.colormap, bar.diverging ? (1 + std::copysign(std::pow(std::abs(side), gamma), side)) / 2
                                    : std::pow(at, gamma)));
  }
  const Box box = {x, top, width, kHeight};
  Draw([=, colours = std::move(colours)](const DrawingTools& tools) {
    tools.canvas.FillGradient(box, colours);
    tools.canvas.StrokeBox(box, {kQuiet, 0.4, {}});
  });
  // The ends come first: they are what a reader needs. What would touch another text is left out.
  std::vector<const FigureTick*> ticks;
  for (const FigureTick& tick : bar.ticks) ticks.push_back(&tick);
  std::stable_sort(ticks.begin(), ticks.end(), [](const FigureTick* a, const FigureTick* b) {
    return std::abs(a->at - 0.5) > std::abs(b->at - 0.5);
  });
  const double below = box.bottom() + kTickLength;
  double height = below - top;
  std::vector<std::pair<double, double>> taken;
  for (const FigureTick* tick : ticks) {
    const SetText text = type_.Line(tick->text, kTick, width);
    const double at = x + std::clamp(tick->at, 0.0, 1.0) * width;
    const double left = std::clamp(at - text.width() / 2, x, x + width - text.width());
    const auto touches = [&](const auto& other) {
      return left < other.second + Mm(0.8) && left + text.width() > other.first - Mm(0.8);
    };
    if (std::any_of(taken.begin(), taken.end(), touches)) continue;
    taken.emplace_back(left, left + text.width());
    Draw([=](const DrawingTools& tools) {
      tools.canvas.StrokeLine(at, box.bottom(), at, below, {kQuiet, 0.5, {}});
    });
    Text(text, left, below);
    height = std::max(height, below - top + text.height());
  }
  const SetText label = type_.Paragraph(bar.label, kBarLabel, width);
  Text(label, x, top + height + Mm(0.3));
  return height + Mm(0.3) + label.height();
}

double FigureParts::BoxHeight(const std::vector<const FigureCell*>& cells, double width) const {
  double tallest = 0;
  for (const FigureCell* cell : cells) {
    if (cell == nullptr) continue;
    const FrameGeometry& geometry = geometries_[cell->frame];
    tallest = std::max(tallest, geometry.height() / geometry.width());
  }
  return std::min(tallest, kTallest) * width;
}

double FigureParts::GroupTitle(const FigureGroup& group, double x, double top, double width) {
  if (group.title.empty()) return 0;
  double left = x;
  if (most_query_ > 1 && group.query > 0) {
    // A sample of the mark that the query has on its picture.
    const Box sample = {x + 0.6, top + 1.6, 10, 6};
    Outline(sample, QueryStroke(group.query, 1), sheet_.draws);
    left += 14;
  }
  const SetText title = type_.Line(group.title, kGroupTitle, x + width - left);
  Text(title, left, top);
  return title.height() + Mm(0.6);
}

double FigureParts::ColumnTitle(const FigureColumn& column, double x, double top, double width) {
  const SetText title = type_.Line(column.title, kColumnTitle, width);
  Text(title, x, top);
  const SetText subtitle = type_.Line(column.subtitle, kColumnSubtitle, width);
  Text(subtitle, x, top + title.height());
  const double height = title.height() + subtitle.height();
  return height > 0 ? height + Mm(0.4) : 0;
}

}  // namespace vggt
