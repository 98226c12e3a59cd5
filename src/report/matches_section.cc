// SPDX-License-Identifier: Apache-2.0
#include "report/matches_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "analysis/correspondence.h"
#include "analysis/match_tables.h"
#include "core/error.h"
#include "geometry/scene_matches.h"
#include "report/chart_axis.h"

namespace vggt {
namespace {

constexpr size_t kBestHeads = 10;
constexpr size_t kMostLinks = 60;
constexpr int kHitColour = 0, kMissColour = 1;

// "71.2 ± 0.5 %"
std::string MatchShareWithError(double share, double error) {
  return fmt::format("{:.1f} ± {:.1f} %", 100 * share, 100 * error);
}

std::string Capitalized(std::string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

double HitOf(const HitScores& scores) { return scores.value.of(MatchMetric::kHit1); }

std::vector<std::string> MatchFindings(const MatchBoard& board, const std::vector<size_t>& best) {
  std::vector<std::string> out;
  const HitScores& first = board.scores[best[0]];
  const double same = board.baselines.same_cell.of(MatchMetric::kHit1);
  const double chance = board.baselines.chance.of(MatchMetric::kHit1);
  out.push_back(fmt::format(
      "{} finds {} of the matches within one cell. The same cell alone finds {}, chance {}, its "
      "own "
      "answers shuffled {}.",
      Capitalized(MatchHeadText(board, best[0])),
      MatchShareWithError(HitOf(first), first.standard_error.of(MatchMetric::kHit1)),
      PercentText(same), PercentText(chance), PercentText(first.shuffled.of(MatchMetric::kHit1))));
  const double mutual = first.value.of(MatchMetric::kMutual);
  out.push_back(fmt::format("Its median error is {:.1f} pixels of the frame{}.",
                            first.value.of(MatchMetric::kMedianError),
                            std::isnan(mutual) ? ""
                                               : fmt::format("; {} of its answers, asked in turn, "
                                                             "answer the patch that asked",
                                                             PercentText(mutual))));
  const auto above = [&](double bound) {
    return std::count_if(board.scores.begin(), board.scores.end(),
                         [&](const HitScores& scores) { return HitOf(scores) > bound; });
  };
  out.push_back(
      fmt::format("{} of {} heads find more than the same cell does, {} of them more "
                  "than twice as much.",
                  above(same), board.scores.size(), above(2 * same)));
  std::vector<std::string> others;
  for (size_t i = 1; i < best.size(); ++i) {
    others.push_back(fmt::format("{} ({})", MatchHeadText(board, best[i]),
                                 PercentText(HitOf(board.scores[best[i]]))));
  }
  if (!others.empty()) {
    out.push_back(fmt::format("The next best are {}.", fmt::join(others, ", ")));
  }
  return out;
}

HeatPanel MatchHeat(const MatchBoard& board, MatchMetric metric,
                    const std::vector<size_t>& marked) {
  const MatchMetricInfo& info = MatchMetrics()[static_cast<size_t>(metric)];
  HeatPanel panel;
  panel.title = info.label;
  panel.x_label = "head";
  panel.y_label = "layer";
  panel.unit = "share of the matches";
  panel.rows = std::ssize(board.layers);
  panel.cols = board.heads;
  float most = 0;
  for (const HitScores& scores : board.scores) {
    panel.values.push_back(static_cast<float>(scores.value.of(metric)));
    if (std::isfinite(panel.values.back())) most = std::max(most, panel.values.back());
  }
  panel.range = ColourRange{0, most > 0 ? most : 1, false};
  for (const int64_t layer : board.layers) panel.row_names.push_back(std::to_string(layer + 1));
  for (int64_t head = 1; head <= board.heads; ++head) {
    panel.col_names.push_back(std::to_string(head));
  }
  for (const size_t place : marked) {
    panel.marked.emplace_back(place / static_cast<size_t>(board.heads),
                              place % static_cast<size_t>(board.heads));
  }
  return panel;
}

LinePanel MatchCurves(const MatchBoard& board) {
  ChartSeries best{.label = "best head", .colour = 0, .points = true};
  ChartSeries mean{.label = "mean of the heads", .colour = 2};
  ChartSeries same{.label = "same cell", .colour = 3, .dashed = true};
  ChartSeries chance{.label = "chance", .colour = 6, .dashed = true};
  for (size_t layer = 0; layer < board.layers.size(); ++layer) {
    double sum = 0, most = 0, error = 0;
    for (int64_t head = 0; head < board.heads; ++head) {
      const HitScores& scores = board.At(layer, head);
      sum += HitOf(scores);
      if (head > 0 && HitOf(scores) <= most) continue;
      most = HitOf(scores);
      error = scores.standard_error.of(MatchMetric::kHit1);
    }
    best.y.push_back(most);
    best.low.push_back(most - error);
    best.high.push_back(most + error);
    mean.y.push_back(sum / static_cast<double>(board.heads));
    same.y.push_back(board.baselines.same_cell.of(MatchMetric::kHit1));
    chance.y.push_back(board.baselines.chance.of(MatchMetric::kHit1));
    for (ChartSeries* series : {&best, &mean, &same, &chance}) {
      series->x.push_back(static_cast<double>(board.layers[layer] + 1));
    }
  }
  LinePanel panel;
  panel.title = "By layer";
  panel.x_label = "global layer";
  panel.y_label = "hit within 1 cell (share)";
  panel.series = {best, mean, same, chance};
  panel.y_low = 0;
  return panel;
}

std::string MatchFrameText(const FrameList& frames, int64_t frame) {
  const std::string name =
      frames.sources.empty() ? "" : fmt::format(" · {}", SourceText(frames.sources[frame]));
  return fmt::format("frame {}{}", frame, name);
}

// The best head's answers for the pair with the most matches, from each patch's centre to that of
// the answer.
LinksPanel MatchLinks(const SectionInput& input, const MatchBoard& board, size_t place) {
  size_t most = 0;
  for (size_t p = 1; p < board.matches.pairs.size(); ++p) {
    if (board.matches.pairs[p].matches.size() > board.matches.pairs[most].matches.size()) most = p;
  }
  SceneMatches one;
  one.pairs.push_back(board.matches.pairs[most]);
  const PairMatches& pair = one.pairs[0];
  const auto heads = static_cast<size_t>(board.heads);
  const auto answers = FindAnswers(
      input.store, {BlockKind::kGlobal, place / heads, static_cast<int>(place % heads) + 1}, one,
      input.stop_check);
  const FrameList& frames = input.store.description();
  const FrameCells cells(frames);
  const auto mark = [&](int64_t patch, int colour) {
    const Point centre = cells.Centre(patch);
    return ChartMark{centre.x / cells.cell_width(), centre.y / cells.cell_height(), colour, ""};
  };
  LinksPanel panel;
  const size_t count = pair.matches.size(), shown = std::min(count, kMostLinks);
  size_t hits = 0;
  for (size_t i = 0; i < shown; ++i) {
    const size_t at = i * count / shown;
    const int64_t best = answers[0].best[at];
    const int64_t apart_rows =
        best / cells.cols - cells.PatchAt(pair.matches[at].place) / cells.cols;
    const int64_t apart_cols =
        best % cells.cols - cells.PatchAt(pair.matches[at].place) % cells.cols;
    const bool is_hit = std::abs(apart_rows) <= 1 && std::abs(apart_cols) <= 1;
    hits += is_hit ? 1 : 0;
    const int colour = is_hit ? kHitColour : kMissColour;
    panel.links.push_back({mark(pair.matches[at].patch, colour), mark(best, colour), colour});
  }
  panel.title = fmt::format(
      "{}: {} → {}; {} of {} matches, evenly chosen", Capitalized(MatchHeadText(board, place)),
      MatchFrameText(frames, pair.frame_a), MatchFrameText(frames, pair.frame_b), shown, count);
  panel.left = input.picture(static_cast<size_t>(pair.frame_a));
  panel.right = input.picture(static_cast<size_t>(pair.frame_b));
  panel.legend = {{kHitColour, fmt::format("within 1 cell of the true place ({})", hits)},
                  {kMissColour, fmt::format("elsewhere ({})", shown - hits)}};
  return panel;
}

std::string OwnGeometryText(const SceneGeometry* own) {
  if (own != nullptr && own->predicted) return "the geometry predicted by " + own->text;
  return "the export's own geometry";
}

// The same heads held against the export's own geometry, beside what is given.
void AddOwnMatches(const SectionInput& input, const MatchBoard& given, Section& section) {
  const auto progress = [&](double done) {
    if (input.progress) input.progress(0.5 + done / 2);
  };
  const MatchBoard own =
      ScoreHeads(input.store, *input.own_matches, input.rows, input.stop_check, progress);
  const std::vector<size_t> order = BestHeads(own, own.scores.size());
  const size_t best = BestHeads(given, 1)[0];
  section.findings.push_back(
      fmt::format("Against {} the best is {} with {}; {}, the best above, has {} there.",
                  OwnGeometryText(input.own_geometry), MatchHeadText(own, order[0]),
                  PercentText(HitOf(own.scores[order[0]])), MatchHeadText(given, best),
                  PercentText(HitOf(own.scores[best]))));
  section.notes.insert(section.notes.end(), own.matches.notes.begin(), own.matches.notes.end());
  Chart chart;
  chart.name = "matches_own";
  chart.title = "Held against what is given, and against the export's own geometry";
  chart.columns = 2;
  chart.caption =
      fmt::format("{} Left: {}; {}. Right: {}; {}. One scale for both.", kMatchDefinition,
                  given.matches.text, given.sample, own.matches.text, own.sample);
  HeatPanel left = MatchHeat(given, MatchMetric::kHit1, {best});
  HeatPanel right = MatchHeat(own, MatchMetric::kHit1, {order[0]});
  left.title = "given";
  right.title = "the export's own";
  left.range = right.range = ColourRange{0, std::max(left.range->high, right.range->high), false};
  chart.panels = {std::move(left), std::move(right)};
  section.charts.push_back(std::move(chart));
  section.tables.push_back(MatchHeadsTable(own, order, "matches_own"));
}

}  // namespace

Section MatchesSection(const SectionInput& input) {
  Section section;
  section.name = "matches";
  section.title = "Which heads find the same point in other pictures";
  if (input.matches == nullptr && input.geometry != nullptr) {
    section.notes.push_back(fmt::format(
        "Whether heads find the same point is not told: {} has no depth, or no two pictures that "
        "share enough of what they show.",
        OwnGeometryText(input.geometry)));
    return section;
  }
  if (input.matches == nullptr) {
    section.notes.push_back(
        "Whether heads find the same point is not told: that needs known matches. Give `matches` "
        "(a file of point pairs) or `geometry` (cameras and depth, or a model of COLMAP).");
    return section;
  }
  const double share = input.own_matches == nullptr ? 1 : 0.5;
  const MatchBoard board =
      ScoreHeads(input.store, *input.matches, input.rows, input.stop_check, [&](double done) {
        if (input.progress) input.progress(share * done);
      });
  const std::vector<size_t> order = BestHeads(board, board.scores.size());
  const std::vector<size_t> best(order.begin(), order.begin() + std::min(order.size(), kBestHeads));
  section.findings = MatchFindings(board, best);
  section.notes = board.matches.notes;
  section.notes.push_back(
      "Frame and encoder blocks attend to their own picture alone and have no answer here.");

  Chart heads;
  heads.name = "matches";
  heads.title = "How often each head finds the same point in another picture";
  heads.caption = fmt::format(
      "{} Framed: the {} heads with the most hits within one cell. "
      "Matches: {}; {}.",
      kMatchDefinition, best.size(), board.matches.text, board.sample);
  heads.columns = 3;
  heads.panels.emplace_back(MatchHeat(board, MatchMetric::kHit1, best));
  // Causal blocks cannot be asked in turn.
  if (!std::isnan(board.scores[best[0]].value.of(MatchMetric::kMutual))) {
    heads.panels.emplace_back(MatchHeat(board, MatchMetric::kMutual, best));
  }
  heads.panels.emplace_back(MatchCurves(board));
  section.charts.push_back(std::move(heads));

  Chart links;
  links.name = "match_lines";
  links.title = "Where the best head looks";
  links.caption = fmt::format(
      "Lines go from the centre of a patch to that of the head's answer, "
      "the patch with the largest logit, in the pair of pictures with the "
      "most matches. Matches: {}.",
      board.matches.text);
  links.columns = 1;
  links.panels = {MatchLinks(input, board, best[0])};
  section.charts.push_back(std::move(links));

  section.tables = {MatchHeadsTable(board, order, "matches"), MatchPairsTable(board, order)};
  if (input.own_matches != nullptr) AddOwnMatches(input, board, section);
  return section;
}

void CheckMatchInput(const std::filesystem::path& matches, const std::filesystem::path& geometry) {
  if (!matches.empty() && !geometry.empty()) {
    throw Error("both `matches` and `geometry` are given", "", "Give one of them.");
  }
  for (const std::filesystem::path& path : {matches, geometry}) {
    std::error_code unknown;
    if (!path.empty() && !std::filesystem::exists(path, unknown)) {
      throw MissingFile("does not exist", path.string());
    }
  }
}

SceneMatches ReadMatchInput(const std::filesystem::path& matches,
                            const std::filesystem::path& geometry, const FrameList& frames) {
  return matches.empty() ? ReadSceneMatches(geometry, frames) : ReadMatches(matches, frames);
}

}  // namespace vggt
