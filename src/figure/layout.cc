// SPDX-License-Identifier: Apache-2.0
#include "figure/layout.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <utility>

namespace vggt {
namespace {

constexpr double kMargin = Mm(2), kGap = Mm(2);
constexpr double kRowGap = Mm(1);         // between a line of pictures and the next
constexpr double kLeastBeside = Mm(130);  // of a page with panels at the left of the maps
constexpr size_t kMostBeside = 12;        // pictures of all groups then
constexpr double kPanel = Mm(40), kLeastPanel = Mm(24), kMostPanel = Mm(45), kMostBar = Mm(75);
constexpr double kPicture = Mm(40);          // wide: as many pictures in a line as come near it
constexpr double kPictureOfGroups = Mm(22);  // wide enough for several groups side by side
constexpr size_t kMostAcross = 2;            // pictures of each of them then
constexpr double kLeastPicture = Mm(14), kMostPicture = Mm(75);
constexpr double kLeastColumn = Mm(13), kMostColumn = Mm(40);
constexpr double kLeastMatrixColumn = Mm(3), kNoteIndent = Mm(0.3);

constexpr TextStyle kTitle = {9, true, kInk}, kSubtitle = {7, false, kQuiet};
constexpr TextStyle kMatrixTitle = {6, true, kInk}, kMatrixNote = {6, false, kQuiet};
constexpr TextStyle kRowLabel = {6, false, kQuiet}, kFooter = {6, false, kQuiet};

// How many things of at least `least` stand side by side.
size_t HowMany(double room, double least, double gap) {
  return static_cast<size_t>(std::max(1.0, std::floor((room + gap) / (least + gap) + 1e-9)));
}

double Share(double room, size_t count, double gap) {
  return (room - static_cast<double>(count - 1) * gap) / static_cast<double>(count);
}

size_t Ceil(size_t total, size_t part) { return (total + part - 1) / part; }

class Layout {
 public:
  Layout(const Figure& figure, const std::vector<FrameGeometry>& geometries,
         const Typesetter& typesetter)
      : figure_(figure), type_(typesetter), parts_(figure, geometries, typesetter) {}

  Sheet Make();

 private:
  // Places of columns in a group: [first, last).
  struct Columns {
    size_t first, last;
  };

  // Each returns the height of what it wrote, from `top` on.
  double Bars(double x, double top, double width);
  double Line(const std::vector<const FigureCell*>& cells, int query, double x, double top,
              double width);
  double FramesOf(const FigureGroup& group, double x, double top, double width);
  double AllFrames(double x, double top, double width);
  double AllColumns(double x, double top, double width);
  double MatrixTitles(const FigureGroup& group, Columns columns, double x, double top,
                      double width);
  double Matrix(const FigureGroup& group, Columns columns, double x, double top, double width);
  double AllMatrices(double x, double top, double width);
  double Maps(double x, double top, double width);
  double Footer(double top);

  size_t PicturesAcross(const std::vector<FigureCell>& cells, double width) const;
  bool GroupsFitAcross(double width) const;
  size_t MostPictures() const;
  size_t MostColumns() const;
  double RowLabelWidth() const;
  double LeastMatrixColumn() const;
  bool IsBeside() const;

  const Figure& figure_;
  const Typesetter& type_;
  FigureParts parts_;
};

double Layout::Bars(double x, double top, double width) {
  double y = top;
  for (const FigureBar& bar : figure_.bars) {
    if (y > top) y += kGap;
    y += parts_.Bar(bar, x, y, width);
  }
  return y - top;
}

// Cells side by side, some of which may be missing.
double Layout::Line(const std::vector<const FigureCell*>& cells, int query, double x, double top,
                    double width) {
  const double high = parts_.BoxHeight(cells, width);
  const bool note_below = std::any_of(cells.begin(), cells.end(), [&](const FigureCell* cell) {
    return cell != nullptr && parts_.NoteStandsBelow(*cell, width);
  });
  double tallest = high;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i] == nullptr) continue;
    const double left = x + static_cast<double>(i) * (width + kGap);
    tallest =
        std::max(tallest, parts_.Cell(*cells[i], query, {left, top, width, high}, note_below));
  }
  return tallest;
}

// How many pictures of a group stand in a line.
size_t Layout::PicturesAcross(const std::vector<FigureCell>& cells, double width) const {
  // Groups are compared line by line, so that one line each is best.
  if (figure_.groups.size() > 1 && Share(width, cells.size(), kGap) >= kPictureOfGroups) {
    return cells.size();
  }
  std::vector<const FigureCell*> all;
  for (const FigureCell& cell : cells) all.push_back(&cell);
  // Upright pictures are narrower, so that they cover no more of the page.
  const double wanted = kPicture * std::min(1.0, std::sqrt(0.8 / parts_.BoxHeight(all, 1)));
  double across = std::max(1.0, std::round(width / wanted));
  if (cells.size() > 9) {
    across = std::max(across, std::ceil(std::sqrt(1.2 * static_cast<double>(cells.size()))));
  }
  const size_t most = std::min(HowMany(width, kLeastPicture, kGap), cells.size());
  const size_t lines = Ceil(cells.size(), std::min(static_cast<size_t>(across), most));
  return Ceil(cells.size(), lines);
}

// All pictures of a group, line by line.
double Layout::FramesOf(const FigureGroup& group, double x, double top, double width) {
  double y = top + parts_.GroupTitle(group, x, top, width);
  for (const FigureColumn& column : group.columns) {
    y += parts_.ColumnTitle(column, x, y, width);
    const auto& cells = column.cells;
    if (cells.empty()) continue;
    const size_t across = PicturesAcross(cells, width);
    const double wide = std::min(Share(width, across, kGap), kMostPicture);
    for (size_t first = 0; first < cells.size(); first += across) {
      const size_t last = std::min(cells.size(), first + across);
      std::vector<const FigureCell*> line;
      for (size_t i = first; i < last; ++i) line.push_back(&cells[i]);
      y += Line(line, group.query, x, y, wide) + kRowGap;
    }
  }
  return y - top;
}

size_t Layout::MostPictures() const {
  size_t most = 1;
  for (const FigureGroup& group : figure_.groups) {
    for (const FigureColumn& column : group.columns) most = std::max(most, column.cells.size());
  }
  return most;
}

bool Layout::GroupsFitAcross(double width) const {
  const size_t most = MostPictures();
  return most <= kMostAcross &&
         Share(Share(width, figure_.groups.size(), 2 * kGap), most, kGap) >= kPictureOfGroups;
}

double Layout::AllFrames(double x, double top, double width) {
  const size_t groups = figure_.groups.size();
  double y = top;
  if (GroupsFitAcross(width)) {
    const double shared = Share(width, groups, 2 * kGap);
    double tallest = 0;
    for (size_t i = 0; i < groups; ++i) {
      const double left = x + static_cast<double>(i) * (shared + 2 * kGap);
      tallest = std::max(tallest, FramesOf(figure_.groups[i], left, top, shared));
    }
    y += tallest;
  } else {
    for (size_t i = 0; i < groups; ++i) {
      if (i > 0) y += kRowGap;
      y += FramesOf(figure_.groups[i], x, y, width);
    }
  }
  return y - top;
}

size_t Layout::MostColumns() const {
  size_t most = 1;
  for (const FigureGroup& group : figure_.groups) most = std::max(most, group.columns.size());
  return most;
}

double Layout::AllColumns(double x, double top, double width) {
  const size_t most = MostColumns();
  const size_t bands = Ceil(most, HowMany(width, kLeastColumn, kGap));
  const size_t across = Ceil(most, bands);
  const double wide = std::min(Share(width, across, kGap), kMostColumn);
  const auto left = [&](size_t i) { return x + static_cast<double>(i) * (wide + kGap); };
  double y = top;
  for (size_t first = 0; first < most; first += across) {
    for (const FigureGroup& group : figure_.groups) {
      if (first >= group.columns.size()) continue;
      const size_t last = std::min(group.columns.size(), first + across);
      y += parts_.GroupTitle(group, x, y, width);
      double titles = 0;
      size_t rows = 0;
      for (size_t i = first; i < last; ++i) {
        titles = std::max(titles, parts_.ColumnTitle(group.columns[i], left(i - first), y, wide));
        rows = std::max(rows, group.columns[i].cells.size());
      }
      y += titles;
      for (size_t row = 0; row < rows; ++row) {
        std::vector<const FigureCell*> line;
        for (size_t i = first; i < last; ++i) {
          const auto& cells = group.columns[i].cells;
          line.push_back(row < cells.size() ? &cells[row] : nullptr);
        }
        y += Line(line, group.query, x, y, wide) + kRowGap;
      }
      y += kRowGap;
    }
  }
  return y - top;
}

double Layout::RowLabelWidth() const {
  double widest = 0;
  for (const std::string& label : figure_.row_labels) {
    widest = std::max(widest, type_.Width(label, kRowLabel));
  }
  return std::min(widest, Mm(25)) + Mm(1);
}

// Wide enough for each word of the notes: a number that is broken reads as two.
double Layout::LeastMatrixColumn() const {
  std::set<std::string> words;
  for (const FigureGroup& group : figure_.groups) {
    for (const FigureColumn& column : group.columns) {
      for (const FigureCell& cell : column.cells) {
        std::istringstream note(cell.note);
        for (std::string word; note >> word;) words.insert(word);
      }
    }
  }
  double least = kLeastMatrixColumn;
  for (const std::string& word : words) {
    least = std::max(least, type_.Width(word, kMatrixNote) + 2 * kNoteIndent + Mm(0.1));
  }
  return least;
}

// Titles of the columns of a matrix, each in the middle of its column; those that would touch the
// one before them are left out.
double Layout::MatrixTitles(const FigureGroup& group, Columns columns, double x, double top,
                            double width) {
  double height = 0, taken = x - Mm(1);
  for (size_t i = columns.first; i < columns.last; ++i) {
    const SetText title = type_.Line(group.columns[i].title, kMatrixTitle, Mm(25));
    const double middle = x + (static_cast<double>(i - columns.first) + 0.5) * width;
    const double left = std::max(x, middle - title.width() / 2);
    if (left < taken + Mm(0.3)) continue;
    parts_.Text(title, left, top);
    taken = left + title.width();
    height = std::max(height, title.height());
  }
  return height + Mm(0.4);
}

// A grid of cells without room between them, under lines that run through.
double Layout::Matrix(const FigureGroup& group, Columns columns, double x, double top,
                      double width) {
  const double title = parts_.GroupTitle(group, x, top, width);
  const double labels = RowLabelWidth();
  const size_t count = columns.last - columns.first;
  if (count == 0) return title;
  const double wide = std::min((width - labels) / static_cast<double>(count), kMostColumn);
  const double left = x + labels;
  const double first = top + title + MatrixTitles(group, columns, left, top + title, wide);
  double y = first;
  std::vector<double> lines = {first};
  size_t rows = 0;
  for (size_t i = columns.first; i < columns.last; ++i) {
    rows = std::max(rows, group.columns[i].cells.size());
  }
  double label_bottom = 0;
  for (size_t row = 0; row < rows; ++row) {
    std::vector<const FigureCell*> line;
    for (size_t i = columns.first; i < columns.last; ++i) {
      const auto& cells = group.columns[i].cells;
      line.push_back(row < cells.size() ? &cells[row] : nullptr);
    }
    const double high = parts_.BoxHeight(line, wide);
    double notes = 0;
    for (size_t i = 0; i < count; ++i) {
      if (line[i] == nullptr) continue;
      const double at = left + static_cast<double>(i) * wide;
      parts_.BareCell(*line[i], group.query, {at, y, wide, high});
      const SetText note = type_.Paragraph(line[i]->note, kMatrixNote, wide - 2 * kNoteIndent);
      parts_.Text(note, at + kNoteIndent, y + high);
      notes = std::max(notes, note.height());
    }
    if (row < figure_.row_labels.size()) {
      const SetText label = type_.Line(figure_.row_labels[row], kRowLabel, labels - Mm(1));
      const double label_top = y + (high - label.height()) / 2;
      // Rows may be lower than letters: a label that would touch the one above it is left out.
      if (label_top >= label_bottom - 0.25 * label.height()) {
        parts_.Text(label, left - Mm(1) - label.width(), label_top);
        label_bottom = label_top + label.height();
      }
    }
    y += high + notes;
    lines.push_back(y);
  }
  const double right = left + static_cast<double>(count) * wide;
  parts_.Draw([=, bottom = y, lines = std::move(lines)](const DrawingTools& tools) {
    const Stroke stroke = {kFaint, 0.5, {}};
    for (const double at : lines) tools.canvas.StrokeLine(left, at, right, at, stroke);
    for (size_t i = 0; i <= count; ++i) {
      const double at = left + static_cast<double>(i) * wide;
      tools.canvas.StrokeLine(at, first, at, bottom, stroke);
    }
  });
  return y - top;
}

double Layout::AllMatrices(double x, double top, double width) {
  const size_t most = MostColumns();
  const double labels = RowLabelWidth(), least = LeastMatrixColumn();
  const size_t bands = Ceil(most, HowMany(width - labels, least, 0));
  const size_t in_band = Ceil(most, bands);
  // Groups stand side by side if there is room.
  const size_t across = HowMany(width, labels + least * static_cast<double>(in_band), kGap);
  const double wide = Share(width, std::min(across, figure_.groups.size()), kGap);
  double y = top;
  for (size_t first = 0; first < most; first += in_band) {
    double tallest = 0;
    size_t place = 0;
    for (const FigureGroup& group : figure_.groups) {
      if (first >= group.columns.size()) continue;
      if (place == across) {
        y += tallest + kGap;
        place = 0;
        tallest = 0;
      }
      const double left = x + static_cast<double>(place++) * (wide + kGap);
      const Columns columns = {first, std::min(first + in_band, group.columns.size())};
      tallest = std::max(tallest, Matrix(group, columns, left, y, wide));
    }
    y += tallest + kGap;
  }
  return y - top;
}

double Layout::Maps(double x, double top, double width) {
  if (figure_.groups.empty()) return 0;
  if (!figure_.row_labels.empty()) return AllMatrices(x, top, width);
  return figure_.layout == FigureLayout::kFrames ? AllFrames(x, top, width)
                                                 : AllColumns(x, top, width);
}

// Whether panels and bars stand at the left of the maps.
bool Layout::IsBeside() const {
  if (figure_.panels.empty() || parts_.page_width() < kLeastBeside) return false;
  const double room = parts_.page_width() - 2 * kMargin - kPanel - 2 * kGap;
  if (!figure_.row_labels.empty()) {
    const size_t fit = HowMany(room - RowLabelWidth(), LeastMatrixColumn(), 0);
    return figure_.groups.size() < 2 && MostColumns() <= fit;
  }
  if (figure_.layout == FigureLayout::kColumns) {
    return MostColumns() <= HowMany(room, kLeastColumn, kGap);
  }
  // Side by side rather than one below the other, if that needs the whole width.
  if (!GroupsFitAcross(room) && GroupsFitAcross(parts_.page_width() - 2 * kMargin)) return false;
  return figure_.groups.size() * MostPictures() <= kMostBeside;
}

double Layout::Footer(double top) {
  const double width = parts_.page_width() - 2 * kMargin;
  std::vector<SetText> paragraphs;
  for (const std::string& text : figure_.footer) {
    if (!text.empty()) paragraphs.push_back(type_.Paragraph(text, kFooter, width));
  }
  if (paragraphs.empty()) return 0;
  double y = top + Mm(1);
  parts_.Draw([=, right = kMargin + width](const DrawingTools& tools) {
    tools.canvas.StrokeLine(kMargin, y, right, y, {kFaint, 0.5, {}});
  });
  y += Mm(1);
  for (const SetText& paragraph : paragraphs) {
    parts_.Text(paragraph, kMargin, y);
    y += paragraph.height();
  }
  return y - top;
}

Sheet Layout::Make() {
  const double inner = parts_.page_width() - 2 * kMargin;
  double y = kMargin;
  for (const auto& [text, style] :
       {std::pair(figure_.title, kTitle), std::pair(figure_.subtitle, kSubtitle)}) {
    const SetText lines = type_.Paragraph(text, style, inner);
    parts_.Text(lines, kMargin, y);
    y += lines.height();
  }
  if (y > kMargin) y += Mm(1.5);

  if (IsBeside()) {
    double left = y;
    for (const FigurePanel& panel : figure_.panels) {
      left += parts_.Panel(panel, kMargin, left, kPanel) + kGap;
    }
    left += Bars(kMargin, left, kPanel);
    const double x = kMargin + kPanel + 2 * kGap;
    y = std::max(left, y + Maps(x, y, kMargin + inner - x));
  } else if (!figure_.panels.empty()) {
    // Panels and one place for all bars in lines.
    const size_t things = figure_.panels.size() + (figure_.bars.empty() ? 0 : 1);
    const size_t across = std::min(things, HowMany(inner, kLeastPanel, kGap));
    const double wide = std::min(Share(inner, across, kGap), kMostPanel);
    double tallest = 0;
    for (size_t i = 0; i < things; ++i) {
      const double x = kMargin + static_cast<double>(i % across) * (wide + kGap);
      if (i > 0 && i % across == 0) y += std::exchange(tallest, 0) + kGap;
      tallest =
          std::max(tallest, i < figure_.panels.size() ? parts_.Panel(figure_.panels[i], x, y, wide)
                                                      : Bars(x, y, wide));
    }
    y += tallest + 1.5 * kGap;
    y += Maps(kMargin, y, inner);
  } else {
    y += Maps(kMargin, y, inner) + kRowGap;
    const size_t bars = std::max<size_t>(figure_.bars.size(), 1);
    const double wide = std::min(Share(inner, bars, 2 * kGap), kMostBar);
    double tallest = 0;
    for (size_t i = 0; i < figure_.bars.size(); ++i) {
      const double x = kMargin + static_cast<double>(i) * (wide + 2 * kGap);
      tallest = std::max(tallest, parts_.Bar(figure_.bars[i], x, y, wide));
    }
    y += tallest;
  }
  y += Footer(y);
  return parts_.Finish(y + kMargin);
}

}  // namespace

Sheet LayOut(const Figure& figure, const std::vector<FrameGeometry>& geometries,
             const Typesetter& typesetter) {
  return Layout(figure, geometries, typesetter).Make();
}

}  // namespace vggt
