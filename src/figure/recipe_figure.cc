// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_figure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "figure/frame_names.h"
#include "figure/table.h"

namespace vggt {
namespace {

// Letters of a file's name: under a picture that leaves little room, in a line of text.
constexpr size_t kLabelLetters = 8, kLineLetters = 32;

const char* LetterOf(size_t part) { return part == 0 ? "A" : "B"; }

std::string Lowered(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(text[0]));
  return text;
}

// Joins what is not empty.
std::string Joined(const std::vector<std::string>& texts, const char* between) {
  std::string all;
  for (const std::string& text : texts) {
    if (!text.empty()) all += (all.empty() ? "" : between) + text;
  }
  return all;
}

// What a cell and its eight neighbours hold together, in steps if there are any.
double Surroundings(std::span<const float> map, int64_t cols, double step, int64_t at) {
  const int64_t rows = std::ssize(map) / cols, row = at / cols, col = at % cols;
  double total = 0;
  for (int64_t r = std::max<int64_t>(0, row - 1); r <= std::min(rows - 1, row + 1); ++r) {
    for (int64_t c = std::max<int64_t>(0, col - 1); c <= std::min(cols - 1, col + 1); ++c) {
      const double value = map[static_cast<size_t>(r * cols + c)];
      total += step > 0 ? std::round(value / step) : value;
    }
  }
  return total;
}

// What lies beyond the ends of a scale.
std::string BeyondText(const ScaleRange& range, bool difference) {
  const std::string largest = FormatValue(range.maximum);
  if (difference) return "largest difference " + largest;
  if (!range.clipped) return "maximum " + largest;
  return range.maximum > range.colours.high * (1 + 1e-6) ? "maximum at least " + largest
                                                         : "the export holds no larger values";
}

class FigureMaker {
 public:
  FigureMaker(const RecipePlan& plan, const RecipeMaps& maps)
      : plan_(plan),
        r_(plan.recipe),
        maps_(maps),
        matrix_(r_.view == RecipeView::kMatrix),
        two_(plan.parts.size() == 2),
        scenes_(SceneNames(plan)) {
    figure_.width = r_.width;
    figure_.dpi = r_.dpi;
    figure_.looks = {r_.gamma, r_.opacity, r_.smooth, r_.alone || matrix_,
                     r_.lines && r_.matches && !matrix_};
    figure_.layout =
        r_.view == RecipeView::kFrames ? FigureLayout::kFrames : FigureLayout::kColumns;
  }

  Figure Make(const std::string& creator) {
    AddBars();
    AddPanels();
    if (matrix_) NameRows();
    for (size_t q = 0; q < r_.queries.size(); ++q) {
      for (size_t p = 0; p < plan_.shown(); ++p) figure_.groups.push_back(Group(p, q));
    }
    if (r_.title) {
      figure_.title = Title();
      figure_.subtitle = Subtitle();
    }
    if (r_.footer) figure_.footer = Footer();
    figure_.recipe = RecipeText();
    figure_.creator = creator;
    return std::move(figure_);
  }

 private:
  // The export whose layers, frames and pictures a part has; the difference has A's.
  size_t ExportOf(size_t part) const { return plan_.is_difference(part) ? 0 : part; }
  const FrameList& FramesOf(size_t part) const {
    return plan_.part_of(part).source.described.frames;
  }

  // Whether colours end at different values in maps that stand side by side.
  bool Differ(size_t part) const { return !maps_.HasOneRange(part); }
  // In this mode each map has its own scale, in the others at least the maps of a column.
  bool EachMap() const { return r_.scale == ScaleMode::kMap; }

  size_t Frame(size_t part, int frame);
  FigureGrid GridOf(const RecipePart& part) const;
  FigureCell Cell(size_t part, size_t query, size_t layer, size_t head, size_t shown);
  bool Meets(size_t part, size_t query, int frame) const;
  std::string Note(const HeadMaps& head, size_t part, size_t query, int frame) const;
  FigureColumn Column(size_t part, size_t query, size_t layer, size_t head);
  FigureColumn MatrixColumn(size_t part, size_t query, size_t head);
  FigureGroup Group(size_t part, size_t query);
  std::string RangeText(size_t part, size_t query, size_t layer, size_t head, size_t frame) const;

  void AddBars();
  // Whose colours a part's maps are drawn in, a place in Figure::bars.
  size_t BarOf(size_t part) const;
  FigureBar Bar(size_t part) const;
  std::string OwnScaleText(bool difference) const;
  void AddPanels();
  void AddPanel(size_t part, int frame);
  bool SamePicture(int frame);
  void NameRows();

  std::string NumberedQuery(size_t query) const;
  std::string Title() const;
  std::string Subtitle() const;
  std::vector<std::string> Footer() const;
  std::string RecipeText() const;
  std::string OriginText(size_t part) const;
  std::string SourcesText(size_t part) const;

  const RecipePlan& plan_;
  const Recipe& r_;
  const RecipeMaps& maps_;
  const bool matrix_;
  const bool two_;  // exports
  const std::vector<std::string> scenes_;
  Figure figure_;
  std::map<std::pair<size_t, int>, size_t> frames_;  // export and frame -> place in the figure
  std::set<std::string> missing_;                    // pictures
  std::map<int, bool> same_pictures_;                // whether A and B have the same of a frame
  std::vector<int64_t> rows_;                        // of a matrix: numbers of layers
};

FigureGrid FigureMaker::GridOf(const RecipePart& part) const {
  const FrameList& frames = part.source.described.frames;
  FigureGrid grid{part.rows, part.cols, frames.H_p, frames.W_p, 1, 1};
  if (!plan_.stored()) return grid;
  const LayerMetadata& m = part.source.maps.layers().back().metadata;
  grid.stride_rows = m.stride_h;
  grid.stride_cols = m.stride_w;
  return grid;
}

size_t FigureMaker::Frame(size_t part, int frame) {
  const auto key = std::pair(ExportOf(part), frame);
  const auto [found, is_new] = frames_.try_emplace(key, figure_.frames.size());
  if (!is_new) return found->second;
  const Export& described = plan_.part_of(part).source.described;
  const auto place = static_cast<size_t>(frame);
  FigureFrame out;
  out.grid = GridOf(plan_.part_of(part));
  const FrameList& frames = described.frames;
  if (place < frames.transforms.size()) out.transform = frames.transforms[place];
  if (place < frames.image_sizes.size()) {
    out.width = frames.image_sizes[place].width;
    out.height = frames.image_sizes[place].height;
  }
  try {
    out.picture = described.ImagePath(place);
  } catch (const MissingFile&) {
    missing_.insert(two_ ? fmt::format("{} {}", LetterOf(key.first), frame)
                         : fmt::format("{}", frame));
  }
  figure_.frames.push_back(std::move(out));
  return found->second;
}

// What the last colour of one map stands for: "to 0.00146", "−14.4 to 3.2", "± 0.002".
std::string FigureMaker::RangeText(size_t part, size_t query, size_t layer, size_t head,
                                   size_t frame) const {
  const ColourRange range = maps_.Range(part, query, layer, head, frame).colours;
  if (plan_.is_difference(part)) return "± " + FormatValue(range.high);
  if (!plan_.is_signed()) return "to " + FormatValue(range.high);
  return fmt::format("{} to {}", FormatValue(range.low), FormatValue(range.high));
}

bool FigureMaker::Meets(size_t part, size_t query, int frame) const {
  const FrameRange& met = plan_.part_of(part).met[query];
  return frame >= met.first && frame < met.last;
}

// The share of the attention that lies on a picture; where the query does not look, that.
std::string FigureMaker::Note(const HeadMaps& head, size_t part, size_t query, int frame) const {
  if (!Meets(part, query, frame)) return r_.view == RecipeView::kFrames ? "not attended" : "–";
  if (head.frame_mass.empty()) return "";
  return FormatShare(head.frame_mass[static_cast<size_t>(frame)]);
}

FigureCell FigureMaker::Cell(size_t part, size_t query, size_t layer, size_t head, size_t shown) {
  const HeadMaps& of = maps_.Head(part, query, layer, head);
  const int frame = plan_.part_of(part).frames[query][shown];
  const bool difference = plan_.is_difference(part);
  FigureCell cell;
  cell.frame = Frame(part, frame);
  cell.picture = !matrix_;
  cell.seen = Meets(part, query, frame);
  cell.map =
      FigureMap{of.maps[shown], maps_.Range(part, query, layer, head, shown).colours, BarOf(part)};
  const std::string own =
      Differ(part) && EachMap() ? RangeText(part, query, layer, head, shown) : "";
  switch (r_.view) {
    case RecipeView::kFrames:
      cell.label = FrameTitle(FramesOf(part), frame);
      cell.short_label = FrameLabel(FramesOf(part), frame, kLabelLetters);
      if (cell.short_label == cell.label) cell.short_label = fmt::format("frame {}", frame);
      cell.note = Joined({Note(of, part, query, frame), own}, " · ");
      break;
    case RecipeView::kMatrix:
      if (Differ(part) && r_.scale != ScaleMode::kLayer) {
        cell.note = RangeText(part, query, layer, head, shown);
      }
      break;
    default:
      cell.label = fmt::format("frame {}", frame);
      cell.short_label = fmt::format("{}", frame);
      cell.note = own.empty() ? Note(of, part, query, frame) : own;
  }
  if (!matrix_ && !difference && r_.matches && cell.seen) {
    if (const auto best = BestCell(of.maps[shown], plan_.part_of(part).cols, of.scale / 255)) {
      cell.match = FigurePatch{best->row, best->col};
    }
  }
  return cell;
}

FigureColumn FigureMaker::Column(size_t part, size_t query, size_t layer, size_t head) {
  const RecipePart& of = plan_.part_of(part);
  FigureColumn column;
  if (r_.view == RecipeView::kLayers) column.title = fmt::format("Layer {}", of.layers[layer]);
  if (r_.view == RecipeView::kHeads) column.title = HeadName(plan_, of.heads[head]);
  if (!column.title.empty() && Differ(part) && !EachMap()) {
    column.subtitle = RangeText(part, query, layer, head, 0);
  }
  for (size_t shown = 0; shown < of.frames[query].size(); ++shown) {
    column.cells.push_back(Cell(part, query, layer, head, shown));
  }
  return column;
}

FigureColumn FigureMaker::MatrixColumn(size_t part, size_t query, size_t head) {
  const RecipePart& of = plan_.part_of(part);
  FigureColumn column;
  column.title = HeadWord(plan_, of.heads[head]);
  for (const int64_t number : rows_) {
    const auto layer = std::find(of.layers.begin(), of.layers.end(), number);
    if (layer != of.layers.end()) {
      const auto place = static_cast<size_t>(layer - of.layers.begin());
      column.cells.push_back(Cell(part, query, place, head, 0));
    } else {
      FigureCell none;
      none.frame = Frame(part, of.frames[query].front());
      none.picture = false;
      column.cells.push_back(std::move(none));
    }
  }
  return column;
}

FigureGroup FigureMaker::Group(size_t part, size_t query) {
  const RecipePart& of = plan_.part_of(part);
  FigureGroup group;
  group.query = static_cast<int>(query) + 1;
  const bool several = r_.queries.size() > 1;
  std::string name;
  if (two_) name = plan_.is_difference(part) ? "A − B" : LetterOf(part);
  if (several && two_) {  // the subtitle has the names
    group.title = fmt::format("{} · {}", query + 1, name);
  } else if (several) {
    group.title = NumberedQuery(query);
  } else if (two_) {
    group.title = plan_.is_difference(part) ? name : name + ": " + InLine(scenes_[part]);
  }
  for (size_t h = 0; h < of.heads.size(); ++h) {
    if (matrix_) {
      group.columns.push_back(MatrixColumn(part, query, h));
      continue;
    }
    for (size_t l = 0; l < of.layers.size(); ++l) {
      group.columns.push_back(Column(part, query, l, h));
    }
  }
  return group;
}

// The rows of a matrix: the layers of either export.
void FigureMaker::NameRows() {
  std::set<int64_t> numbers;
  for (const RecipePart& part : plan_.parts) numbers.insert(part.layers.begin(), part.layers.end());
  rows_.assign(numbers.begin(), numbers.end());
  for (const int64_t number : rows_) {
    std::string label = fmt::format("{}", number);
    std::set<size_t> said;  // bars
    for (size_t part = 0; part < plan_.shown() && r_.scale == ScaleMode::kLayer; ++part) {
      const std::vector<int64_t>& layers = plan_.part_of(part).layers;
      const auto layer = std::find(layers.begin(), layers.end(), number);
      if (layer == layers.end() || !Differ(part) || !said.insert(BarOf(part)).second) continue;
      const auto place = static_cast<size_t>(layer - layers.begin());
      label += ", " + RangeText(part, 0, place, 0, 0);
    }
    figure_.row_labels.push_back(std::move(label));
  }
}

// Where it says what the colours of one map end at, if they differ.
std::string FigureMaker::OwnScaleText(bool difference) const {
  const char* at = "each column";
  if (EachMap() || (matrix_ && r_.scale == ScaleMode::kHead)) at = "each map";
  if (matrix_ && r_.scale == ScaleMode::kLayer) at = "each row";
  return plan_.is_signed() && !difference
             ? fmt::format("its ends are written at {}", at)
             : fmt::format("in percent of the last colour, which is written at {}", at);
}

size_t FigureMaker::BarOf(size_t part) const {
  if (plan_.is_difference(part)) return r_.own ? 2 : 1;
  return r_.own ? part : 0;
}

FigureBar FigureMaker::Bar(size_t part) const {
  const bool difference = plan_.is_difference(part);
  FigureBar bar;
  bar.colormap = difference ? Colormap::kCoolwarm : r_.colormap;
  bar.diverging = difference;
  const bool is_signed = plan_.is_signed() && !difference;
  std::vector<std::string> label = {UnitName(plan_)};
  if (difference) label.front() = "A − B, " + label.front();
  if (r_.own && !difference) label.front() = (part == 0 ? "A, " : "B, ") + label.front();
  if (maps_.HasOneRange(part)) {
    const ScaleRange range = maps_.Range(part, 0, 0, 0, 0);
    for (const ScaleTick& tick : ScaleTicks(range)) bar.ticks.push_back({tick.at, tick.text});
    label.push_back(ReachName(plan_, difference));
    if (range.above || range.below) label.push_back(BeyondText(range, difference));
  } else {
    label.push_back(OwnScaleText(difference));
    label.push_back(ReachName(plan_, difference));
    const std::vector<std::string> names =
        difference  ? std::vector<std::string>{"−100 %", "0", "100 %"}
        : is_signed ? std::vector<std::string>{"least", "", "largest"}
        : r_.log    ? std::vector<std::string>{"≤ 0.01 %", "1 %", "100 %"}
                    : std::vector<std::string>{"0", "50 %", "100 %"};
    for (size_t i = 0; i < names.size(); ++i) {
      if (!names[i].empty()) bar.ticks.push_back({0.5 * static_cast<double>(i), names[i]});
    }
  }
  if (r_.log && !is_signed && !difference) label.emplace_back("logarithmic");
  bar.label = Joined(label, "; ");
  return bar;
}

void FigureMaker::AddBars() {
  figure_.bars.push_back(Bar(0));
  if (r_.own) figure_.bars.push_back(Bar(1));
  if (plan_.difference()) figure_.bars.push_back(Bar(2));
}

// Whether B's picture of a frame is A's, byte for byte, so that one of them tells the place of the
// query in both.
bool FigureMaker::SamePicture(int frame) {
  const auto [known, is_new] = same_pictures_.try_emplace(frame, false);
  if (!is_new) return known->second;
  const RecipePart &a = plan_.parts[0], &b = plan_.parts[1];
  if (a.rows != b.rows || a.cols != b.cols || frame >= std::min(a.all_frames, b.all_frames)) {
    return false;
  }
  try {
    const auto place = static_cast<size_t>(frame);
    known->second = ReadFile(a.source.described.ImagePath(place)) ==
                    ReadFile(b.source.described.ImagePath(place));
  } catch (const Error&) {
    // Then each has the panel that can be drawn of it.
  }
  return known->second;
}

void FigureMaker::AddPanel(size_t part, int frame) {
  FigurePanel panel;
  std::vector<std::string> roles;
  for (size_t q = 0; q < r_.queries.size(); ++q) {
    const Spot& spot = r_.queries[q];
    const bool is_target = matrix_ && plan_.part_of(part).frames[q].front() == frame;
    panel.target = panel.target || is_target;
    if (spot.frame != frame) continue;
    if (roles.empty()) roles.emplace_back("query");
    if (!spot.token.empty()) continue;
    const int number = static_cast<int>(q) + 1;
    const GridCell to = spot.to.value_or(spot.cell);
    panel.marks.push_back({number, spot.cell.row, spot.cell.col, to.row, to.col});
    for (const GridCell& cell : spot.more) {
      panel.marks.push_back({number, cell.row, cell.col, cell.row, cell.col});
    }
  }
  if (panel.target) roles.emplace_back("target");
  const std::string before =
      (two_ && !SamePicture(frame) ? fmt::format("{}: ", LetterOf(part)) : "") +
      Joined(roles, " and ") + ", ";
  panel.label = before + FrameTitle(FramesOf(part), frame);
  panel.short_label = before + FrameLabelAlone(FramesOf(part), frame, kLabelLetters);
  panel.frame = Frame(part, frame);
  figure_.panels.push_back(std::move(panel));
}

// The pictures that hold queries, and the target of a matrix.
void FigureMaker::AddPanels() {
  for (size_t p = 0; p < plan_.parts.size(); ++p) {
    std::vector<int> frames;
    const auto add = [&](int64_t frame) {
      const int number = static_cast<int>(frame);
      if (std::find(frames.begin(), frames.end(), number) == frames.end()) frames.push_back(number);
    };
    for (const Spot& spot : r_.queries) add(spot.frame);
    if (matrix_) {
      for (const std::vector<int>& target : plan_.parts[p].frames) add(target.front());
    }
    for (const int frame : frames) {
      if (p == 0 || !SamePicture(frame)) AddPanel(p, frame);
    }
  }
}

std::string FigureMaker::NumberedQuery(size_t query) const {
  return fmt::format("{}: {}", query + 1, SpotName(r_.queries[query]));
}

std::string FigureMaker::Title() const {
  const RecipePart& a = plan_.parts.front();
  const std::string layer = fmt::format("Layer {}", r_.layer.value_or(0));
  const std::string head = Lowered(HeadName(plan_, a.heads.front()));
  switch (r_.view) {
    case RecipeView::kFrames:
      return fmt::format("{}, {}", layer, head);
    case RecipeView::kLayers:
      return fmt::format("All layers, {}", head);
    case RecipeView::kHeads:
      return fmt::format("{}, all heads", layer);
    case RecipeView::kMatrix:
      break;
  }
  std::set<int> targets;
  for (const std::vector<int>& frames : a.frames) targets.insert(frames.front());
  return "All layers (down) and heads (across), " +
         (targets.size() > 1 ? "each query's own frame"
                             : FrameLabelAlone(FramesOf(0), *targets.begin(), kLineLetters));
}

std::string FigureMaker::Subtitle() const {
  std::vector<std::string> parts;
  for (size_t p = 0; p < plan_.parts.size(); ++p) {
    const std::string name = InLine(scenes_[p]);
    parts.push_back(two_ ? fmt::format("{}: {}", LetterOf(p), name) : name);
  }
  const Spot& first = r_.queries.front();
  if (r_.queries.size() > 1 && two_) {
    for (size_t q = 0; q < r_.queries.size(); ++q) parts.push_back(NumberedQuery(q));
  } else if (r_.queries.size() > 1) {
    parts.push_back(fmt::format("{} queries", r_.queries.size()));
  } else {
    const bool unsaid = first.frame == 0 && first.token.empty();
    parts.push_back(fmt::format("query {}{}", SpotName(first), unsaid ? " of frame 0" : ""));
  }
  parts.push_back(AttentionName(plan_) == "stored" ? "stored maps" : AttentionName(plan_));
  return Joined(parts, " · ");
}

// Which model and program the numbers are from, without the checkpoint's file.
std::string FigureMaker::OriginText(size_t part) const {
  const std::optional<Provenance>& p = plan_.parts[part].source.described.provenance;
  if (!p) return "";
  return PrintableText(Joined({p->family, p->precision, p->generator}, " · "));
}

// Where lines of small maps stand for frames, which files those were taken from.
std::string FigureMaker::SourcesText(size_t part) const {
  const std::vector<PictureSource>& sources = FramesOf(part).sources;
  const std::vector<std::string> names = ShortNames(sources, kLineLetters);
  std::vector<std::string> parts;
  for (const int frame : plan_.parts[part].frames.front()) {
    const auto place = static_cast<size_t>(frame);
    if (place < names.size() && !names[place].empty()) {
      parts.push_back(fmt::format("{} {}", frame, InLine(names[place])));
    }
  }
  return parts.empty() ? "" : "Frames, down: " + Joined(parts, " · ");
}

std::vector<std::string> FigureMaker::Footer() const {
  std::vector<std::string> lines;
  const auto add = [&](size_t part, const std::string& text, bool same) {
    if (text.empty() || (same && part > 0)) return;
    lines.push_back(two_ && !same ? fmt::format("{}: {}", LetterOf(part), text) : text);
  };
  const bool same_origin = two_ && OriginText(0) == OriginText(1);
  for (size_t p = 0; p < plan_.parts.size(); ++p) add(p, OriginText(p), same_origin);
  if (!plan_.stored()) {
    lines.push_back(fmt::format("{}: {}", AttentionName(plan_), plan_.definition->text));
  } else if (const auto& p = plan_.parts.front().source.described.provenance) {
    if (!p->definition_text.empty()) lines.push_back(PrintableText(p->definition_text));
  }
  const bool rows_of_frames = r_.view == RecipeView::kLayers || r_.view == RecipeView::kHeads;
  for (size_t p = 0; p < plan_.parts.size(); ++p) {
    if (rows_of_frames) add(p, SourcesText(p), two_ && SourcesText(0) == SourcesText(1));
    const std::vector<int64_t>& left_out = plan_.parts[p].left_out;
    if (!left_out.empty()) {
      add(p, fmt::format("Layers that cannot be read: {}.", fmt::join(left_out, ", ")), false);
    }
  }
  if (!missing_.empty()) {
    lines.push_back(fmt::format("Pictures that are missing: {}.", fmt::join(missing_, ", ")));
  }
  return lines;
}

std::string FigureMaker::RecipeText() const {
  Recipe recipe = r_;
  const std::vector<std::string> folders = FolderNames(plan_);
  recipe.export_id = folders[0];
  if (two_) recipe.other = folders[1];
  return RecipeJsonText(WriteRecipe(recipe));
}

}  // namespace

Figure MakeFigure(const RecipePlan& plan, const RecipeMaps& maps, const std::string& creator) {
  return FigureMaker(plan, maps).Make(creator);
}

std::optional<GridCell> BestCell(std::span<const float> map, int64_t cols, double step) {
  std::optional<size_t> best;
  double around = 0;
  bool all_zero = true;
  for (size_t i = 0; i < map.size(); ++i) {
    if (std::isnan(map[i])) continue;
    all_zero = all_zero && map[i] == 0;
    if (best && map[i] < map[*best]) continue;
    const double total = Surroundings(map, cols, step, static_cast<int64_t>(i));
    if (best && map[i] == map[*best] && !(total > around)) continue;
    best = i;
    around = total;
  }
  if (!best || all_zero) return std::nullopt;
  const auto at = static_cast<int64_t>(*best);
  return GridCell{at / cols, at % cols};
}

}  // namespace vggt
