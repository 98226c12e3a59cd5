// SPDX-License-Identifier: Apache-2.0
#include "report/views_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "analysis/layer_choice.h"
#include "analysis/layer_statistics.h"
#include "analysis/stored_rows.h"
#include "analysis/views_table.h"
#include "attention/softmax_groups.h"
#include "ops/quantile.h"
#include "report/chart_axis.h"

namespace vggt {
namespace {

constexpr size_t kViewPanels = 6;
constexpr int64_t kMostNumbers = 8;  // pictures whose matrices have numbers in their cells

struct ViewMetric {
  HeadMetric metric;
  const char* name;
  const char* label;
};
constexpr ViewMetric kViewMetrics[] = {
    {HeadMetric::kOwnMass, "own_mass", "own picture"},
    {HeadMetric::kCrossMass, "cross_mass", "other pictures"},
    {HeadMetric::kSpecialMass, "special_mass", "special tokens"},
    {HeadMetric::kFirstFrameMass, "first_frame_mass", "picture 0"},
};

class ViewsMaker {
 public:
  explicit ViewsMaker(const SectionInput& input)
      : input_(input),
        store_(input.store),
        blocks_(GlobalBlocksOfSeveral(input.store, "a table of pictures")),
        frames_(input.store.description().frames),
        all_(blocks_.attends == Attends::kAll),
        robust_(input.preset == "robustvggt"),
        spark_(input.preset == "spark") {
    section_.name = "views";
    section_.title = "Pictures × pictures";
    for (int64_t f = 0; f < frames_; ++f) names_.push_back(std::to_string(f));
  }

  Section Make() {
    for (size_t layer = 0; layer < blocks_.layers.size(); ++layer) {
      CheckStop(input_.stop_check);
      AddLayer(input_.statistics(BlockKind::kGlobal, layer));
      Progress(0.5 * static_cast<double>(layer + 1) / static_cast<double>(blocks_.layers.size()));
    }
    AddMatrices();
    AddCurves();
    const ViewReport report =
        ComputeViewReport(store_, spark_ ? 20 * kMatchProducts : kMatchProducts, input_.stop_check);
    AddScores(report);
    Progress(1);
    return std::move(section_);
  }

 private:
  void Progress(double done) const {
    if (input_.progress) input_.progress(done);
  }

  void AddLayer(const LayerStatistics& statistics) {
    const PairScores mass = MeanFrameMass(statistics.frame_mass, statistics.heads, frames_);
    asymmetry_.push_back(all_ ? Asymmetry(mass) : std::nan(""));
    for (int64_t a = 0; a < frames_; ++a) {
      double special = 1;
      for (int64_t b = 0; b < frames_; ++b) {
        matrices_.push_back(Sees(a, b) ? static_cast<float>(mass.at(a, b)) : NAN);
        special -= mass.at(a, b);
      }
      matrices_.push_back(static_cast<float>(std::max(special, 0.0)));
    }
    if (sample_.empty()) sample_ = SampleText(statistics.sample, statistics.grid);
    std::vector<float> of_heads(static_cast<size_t>(statistics.heads));
    for (size_t m = 0; m < std::size(kViewMetrics); ++m) {
      double sum = 0;
      for (int64_t h = 0; h < statistics.heads; ++h) {
        const double mean = statistics.Mean(kViewMetrics[m].metric, h);
        of_heads[h] = static_cast<float>(mean);
        sum += mean;
      }
      const StridedValues all = {of_heads.data(), 1, statistics.heads, statistics.heads};
      means_[m].push_back(sum / static_cast<double>(statistics.heads));
      lows_[m].push_back(Quantile(all, 0.25));
      highs_[m].push_back(Quantile(all, 0.75));
      uniform_[m].push_back(statistics.Uniform(kViewMetrics[m].metric));
    }
  }

  bool Sees(int64_t query, int64_t key) const {
    const FrameRange seen = AttendedFrames(blocks_.attends, query, frames_, false);
    return key >= seen.first && key < seen.last;
  }

  std::span<const float> Matrix(size_t layer) const {
    const auto size = static_cast<size_t>(frames_ * (frames_ + 1));
    return std::span(matrices_).subspan(layer * size, size);
  }

  void AddMatrices() {
    Chart chart;
    chart.name = "views";
    chart.title = "Attention between pictures";
    const TokenGrid grid = store_.description().token_grid(blocks_);
    const auto tokens = static_cast<double>(grid.tokens());
    chart.caption = fmt::format(
        "Mass that a patch of one picture (row) gives to all patches of another (column), and to "
        "all special tokens; mean over patches and heads; rows add up to 1. Softmax over all keys, "
        "after RoPE. {} Rows of attention: {}.",
        all_ ? fmt::format("Uniform attention would give {:.3f} to each picture and {:.3f} to "
                           "special tokens.",
                           static_cast<double>(grid.patches()) / tokens,
                           static_cast<double>(grid.all_specials()) / tokens)
             : "Pictures that a query cannot see have no value; uniform attention would give the "
               "others the same.",
        sample_);
    const std::vector<size_t> layers = EvenLayers(blocks_, kViewPanels);
    float largest = 0;
    for (const size_t layer : layers) {
      for (const float value : Matrix(layer)) {
        if (value > largest) largest = value;
      }
    }
    for (const size_t layer : layers) {
      HeatPanel panel;
      panel.title = LayerText(blocks_, layer);
      panel.x_label = "picture of the keys";
      panel.y_label = "picture of the queries";
      panel.unit = "mass";
      panel.rows = frames_;
      panel.cols = frames_ + 1;
      panel.values.assign(Matrix(layer).begin(), Matrix(layer).end());
      panel.row_names = panel.col_names = names_;
      panel.col_names.emplace_back("special");
      panel.range = ColourRange{0, largest, false};
      panel.numbers = frames_ <= kMostNumbers;
      chart.panels.emplace_back(std::move(panel));
    }
    section_.charts.push_back(std::move(chart));

    ReportTable table;
    table.name = "view_layers";
    table.title = "Attention between pictures, layer by layer";
    table.definition =
        "Means over heads and patch queries, softmax over all keys, after RoPE. asymmetry: ‖F − "
        "Fᵀ‖ / ‖F‖ (Frobenius) of the mean mass F from pictures to pictures: 0 if they look at "
        "each other equally, at most √2; empty where queries do not see all pictures.";
    table.sample = sample_;
    table.columns = {{"layer", "", "from 1"},
                     {"layer_index", "", "from 0"},
                     {"asymmetry", "", "of the mass between pictures"}};
    for (const ViewMetric& metric : kViewMetrics) {
      table.columns.push_back({metric.name, "share", fmt::format("mass on {}", metric.label)});
    }
    for (size_t layer = 0; layer < blocks_.layers.size(); ++layer) {
      const int64_t index = blocks_.layers[layer].index;
      std::vector<TableCell> row = {index + 1, index, asymmetry_[layer]};
      for (const std::vector<double>& means : means_) row.emplace_back(means[layer]);
      table.rows.push_back(std::move(row));
    }
    table.arrays.push_back({"frame_mass",
                            "[layers, pictures, pictures + 1]",
                            "mass from pictures to pictures, mean over heads; the last column is "
                            "that of special tokens; NaN where a query cannot see",
                            {std::ssize(blocks_.layers), frames_, frames_ + 1},
                            matrices_});
    section_.tables.push_back(std::move(table));
  }

  void AddCurves() {
    std::vector<double> x;
    for (const QkLayer& layer : blocks_.layers) x.push_back(static_cast<double>(layer.index + 1));
    LinePanel masses, asymmetry;
    masses.title = "Where patches look";
    masses.x_label = asymmetry.x_label = "global layer, from 1";
    masses.y_label = "mass";
    masses.y_low = asymmetry.y_low = 0;
    for (size_t m = 0; m < std::size(kViewMetrics); ++m) {
      const int colour = static_cast<int>(m);
      masses.series.push_back(
          {kViewMetrics[m].label, colour, false, true, x, means_[m], lows_[m], highs_[m]});
      masses.series.push_back({"", colour, true, false, x, uniform_[m], {}, {}});
    }
    asymmetry.title = "How one-sided it is";
    asymmetry.y_label = "‖F − Fᵀ‖ / ‖F‖";
    asymmetry.series.push_back({"", 0, false, true, x, asymmetry_, {}, {}});
    Chart chart;
    chart.name = "view_layers";
    chart.title = "Attention between pictures, layer by layer";
    chart.caption = fmt::format(
        "Left: mean over heads, and where the middle half of them lies; broken lines are those of "
        "uniform attention; picture 0 counts among own and other pictures, too. {}Rows of "
        "attention: {}.",
        all_ ? "Right: asymmetry of the mass F between pictures, mean over heads. " : "", sample_);
    chart.columns = 2;
    chart.panels.emplace_back(std::move(masses));
    if (all_) chart.panels.emplace_back(std::move(asymmetry));
    section_.charts.push_back(std::move(chart));

    const std::vector<double>&cross = means_[1], &special = means_[2];
    const auto [least, most] = std::minmax_element(cross.begin(), cross.end());
    section_.findings.push_back(fmt::format(
        "Of the mass of patches, between {} ({}) and {} ({}) lies on other pictures; uniform "
        "attention would put {} there.",
        PercentText(*least), Numbered(least - cross.begin()), PercentText(*most),
        Numbered(most - cross.begin()), PercentText(uniform_[1].front())));
    const auto sinks = std::max_element(special.begin(), special.end());
    section_.findings.push_back(fmt::format(
        "Special tokens get most in {}: {} ({} if attention were uniform).",
        Numbered(sinks - special.begin()), PercentText(*sinks), PercentText(uniform_[2].front())));
    if (!all_) return;
    const size_t one_sided =
        std::max_element(asymmetry_.begin(), asymmetry_.end()) - asymmetry_.begin();
    section_.findings.push_back(
        fmt::format("Attention between pictures is most one-sided in {} (asymmetry {:.2f}).",
                    Numbered(one_sided), asymmetry_[one_sided]));
  }

  // As sentences name a layer; the tables have both numberings.
  std::string Numbered(size_t layer) const {
    return fmt::format("global layer {}", blocks_.layers[layer].index + 1);
  }

  HeatPanel PairPanel(const std::string& title, const std::string& unit,
                      const PairScores& scores) const {
    HeatPanel panel;
    panel.title = title;
    panel.x_label = "picture b";
    panel.y_label = "picture a";
    panel.unit = unit;
    panel.rows = panel.cols = frames_;
    panel.values.assign(scores.values.begin(), scores.values.end());
    panel.row_names = panel.col_names = names_;
    panel.numbers = frames_ <= kMostNumbers;
    return panel;
  }

  void AddScores(const ViewReport& report) {
    Chart chart;
    chart.name = "view_scores";
    chart.title = robust_  ? "Pictures that do not belong (RobustVGGT)"
                  : spark_ ? "Which pictures show the same place (VGGT-SPARK)"
                           : "Scores of pictures";
    if (!spark_ && report.outlier.has_value()) {
      chart.panels.emplace_back(OutlierPanel(*report.outlier));
      chart.caption += OutlierText(store_, report) + " ";
    }
    if (!robust_) {
      HeatPanel panel = PairPanel("match score", "score", report.match);
      panel.range = ColourRange{0, std::max(1.0, Largest(report.match)), false};
      chart.panels.emplace_back(std::move(panel));
      chart.caption += MatchText(store_, report) + " ";
    }
    if (!spark_ && report.cosines.has_value()) {
      chart.panels.emplace_back(PairPanel("cosine of hidden states", "cosine", *report.cosines));
      chart.caption +=
          "Cosine: the mean over all pairs of patches of a and b of the cosine of what the last "
          "layer gives them. ";
    }
    if (!spark_ && !robust_) {
      if (report.relevance.has_value()) {
        chart.panels.emplace_back(PairPanel("retrieval relevance", "q̄·k̄", *report.relevance));
        chart.caption += RelevanceText(store_, report) + " ";
      }
      chart.panels.emplace_back(PairPanel("Pi3's mean logits", "logit", report.mean_logits));
      chart.caption += SalienceText(store_, report) + " ";
    }
    if (chart.panels.size() > 1) {
      chart.caption += "These scores are not comparable with each other.";
    } else if (chart.caption.ends_with(' ')) {
      chart.caption.pop_back();
    }
    if (!chart.panels.empty()) section_.charts.push_back(std::move(chart));
    section_.tables.push_back(ShownTable(report));
    if (!spark_ && report.outlier.has_value()) {
      const std::vector<double>& attention = report.outlier->attention;
      section_.findings.push_back(fmt::format(
          "By RobustVGGT's attention score alone, {} belongs least to the scene of picture {}.",
          Named(std::min_element(attention.begin(), attention.end()) - attention.begin()),
          report.anchor));
    }
    if (!spark_) {
      if (std::optional<ReportTable> drop = DropTable(store_, report); drop.has_value()) {
        AddDropFinding(report, *drop);
        section_.tables.push_back(std::move(*drop));
      }
    }
    AddMatchFinding(report);
    for (const auto* notes : {&report.notes, &report.match_notes}) {
      if (notes == (robust_ ? &report.match_notes : spark_ ? &report.notes : nullptr)) continue;
      section_.notes.insert(section_.notes.end(), notes->begin(), notes->end());
    }
  }

  // The scores that the figure shows: of a preset its own alone.
  ReportTable ShownTable(const ViewReport& report) const {
    ReportTable table = ViewsTable(store_, report);
    if (!robust_ && !spark_) return table;
    table.definition = robust_ ? OutlierText(store_, report) : MatchText(store_, report);
    if (table.definition.empty())
      table.definition = fmt::format("{}", fmt::join(report.notes, " "));
    const auto is_shown = [this](const std::string& name) {
      return name == "picture" || name == "file" ||
             (robust_ ? name.starts_with("robustvggt_") || name == "mean_cosine"
                      : name.starts_with("match_score"));
    };
    for (size_t i = table.columns.size(); i-- > 0;) {
      if (is_shown(table.columns[i].name)) continue;
      const auto at = static_cast<std::ptrdiff_t>(i);
      table.columns.erase(table.columns.begin() + at);
      for (std::vector<TableCell>& row : table.rows) row.erase(row.begin() + at);
    }
    std::erase_if(table.arrays, [&](const ReportArray& array) { return !is_shown(array.name); });
    return table;
  }

  LinePanel OutlierPanel(const OutlierScores& outlier) const {
    LinePanel panel;
    panel.title = "RobustVGGT";
    panel.x_label = "picture";
    panel.y_label = "scaled score";
    panel.y_low = 0;
    panel.y_high = 1.05;
    std::vector<double> x;
    for (int64_t f = 0; f < frames_; ++f) x.push_back(static_cast<double>(f));
    panel.series.push_back({"attention", 0, false, true, x, outlier.attention, {}, {}});
    if (!outlier.combined.empty()) {
      panel.series.push_back({"feature", 1, false, true, x, outlier.feature, {}, {}});
      panel.series.push_back({"combined", 2, false, true, x, outlier.combined, {}, {}});
      panel.levels = {{kOutlierThreshold, "0.4 (code)"}, {kOutlierThresholdReadme, "0.3 (README)"}};
    }
    return panel;
  }

  static double Largest(const PairScores& scores) {
    double largest = 0;
    for (const double value : scores.values)
      largest = std::isnan(value) ? largest : std::max(largest, value);
    return largest;
  }

  std::string Named(int64_t frame) const {
    const std::string file = PictureFile(store_.description(), frame);
    return file.empty() ? fmt::format("picture {}", frame)
                        : fmt::format("picture {} ({})", frame, file);
  }

  void AddDropFinding(const ViewReport& report, const ReportTable& drop) {
    std::vector<std::string> dropped;
    for (const std::vector<TableCell>& row : drop.rows) {
      dropped.push_back(Named(std::get<int64_t>(row[0])));
    }
    const std::vector<double>& scores = report.outlier->combined;
    const auto least = std::min_element(scores.begin(), scores.end());
    section_.findings.push_back(fmt::format(
        "{} has the lowest combined score of RobustVGGT, {:.2f}; below {} {}. The score is scaled "
        "over these pictures, so that some picture is low even if all belong together.",
        Capital(Named(least - scores.begin())), *least, kOutlierThreshold,
        dropped.empty()
            ? "is none"
            : fmt::format("{} {}", dropped.size() == 1 ? "is" : "are", fmt::join(dropped, ", "))));
  }

  void AddMatchFinding(const ViewReport& report) {
    if (robust_) return;
    if (std::ranges::all_of(report.match.values, [](double v) { return std::isnan(v); })) return;
    int64_t best = -1, worst = -1, accepted = 0, all = 0;
    for (int64_t i = 0; i < std::ssize(report.match.values); ++i) {
      const double value = report.match.values[i];
      if (std::isnan(value)) continue;
      ++all;
      if (value >= kMatchScoreAccepted) ++accepted;
      if (best < 0 || value > report.match.values[best]) best = i;
      if (worst < 0 || value < report.match.values[worst]) worst = i;
    }
    section_.findings.push_back(fmt::format(
        "Match scores go from {:.2f} (picture {} to {}) to {:.2f} ({} to {}); {} of {} ordered "
        "pairs reach {}.",
        report.match.values[worst], worst / frames_, worst % frames_, report.match.values[best],
        best / frames_, best % frames_, accepted, all, kMatchScoreAccepted));
    if (!report.all_pairs) return;
    std::vector<double> means;
    for (int64_t f = 0; f < frames_; ++f) means.push_back(MeanOfPicture(report.match, f));
    const auto least = std::min_element(means.begin(), means.end());
    const int64_t lonely = least - means.begin();
    const double mean = *least;
    std::sort(means.begin(), means.end());
    section_.findings.push_back(fmt::format(
        "{} matches the others least: its mean score is {:.2f}, that of the next {:.2f}.",
        Capital(Named(lonely)), mean, means[1]));
  }

  static std::string Capital(std::string text) {
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text;
  }

  const SectionInput& input_;
  const QkStore& store_;
  const QkBlocks& blocks_;
  const int64_t frames_;
  const bool all_;  // whether queries see all pictures
  const bool robust_, spark_;
  std::vector<std::string> names_;
  std::string sample_;
  std::vector<float> matrices_;  // [layers, frames, frames + 1]
  std::vector<double> asymmetry_;
  std::array<std::vector<double>, std::size(kViewMetrics)> means_, lows_, highs_, uniform_;
  Section section_;
};

}  // namespace

Section ViewsSection(const SectionInput& input) { return ViewsMaker(input).Make(); }

}  // namespace vggt
