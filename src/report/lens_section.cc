// SPDX-License-Identifier: Apache-2.0
#include "report/lens_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/layer_lens.h"
#include "core/parallel.h"
#include "geometry/frame_view.h"
#include "geometry/prediction_file.h"
#include "report/chart_axis.h"

namespace vggt {
namespace {

// Within these the cameras after a layer are called those of the last one.
constexpr double kNearDegrees = 5;

constexpr const char* kLensDefinition =
    "Layer lens: the prediction heads read the tokens after a layer in place of all later ones, as "
    "if the model ended there. Poses are those from the first picture's camera, depth has one "
    "factor for all pictures (after soskek/understand_vggt).";

// All layers against one geometry.
struct LensBoard {
  std::string suffix;  // of names: "" or "_given"
  std::string text;    // against which
  std::vector<LensErrors> layers;
  std::optional<LensErrors> last;  // of the last layer, if that is not what they are held against
};

class LensMaker {
 public:
  LensMaker(const SectionInput& input, std::filesystem::path folder, std::vector<int64_t> layers)
      : input_(input),
        frames_(input.store.description()),
        folder_(std::move(folder)),
        layers_(std::move(layers)) {}

  Section Make() {
    section_.name = "lens";
    section_.title = "Cameras and depth after each layer";
    Compare();
    for (const LensBoard& board : boards_) {
      AddFindings(board);
      section_.charts.push_back(CurvesOf(board));
      section_.tables.push_back(LayersTableOf(board));
      section_.tables.push_back(FramesTableOf(board));
    }
    return std::move(section_);
  }

 private:
  void Compare() {
    const SceneGeometry last = ReadPrediction(folder_, kPredictionName, frames_);
    boards_.push_back({"", "what the heads make of the last layer", {}, {}});
    std::optional<SceneGeometry> given;
    if (input_.geometry != nullptr && !input_.geometry->predicted) {
      given = AtFrames(*input_.geometry);
      boards_.push_back({"_given", given->text, {}, CompareScenes(last, *given)});
    }
    for (size_t i = 0; i < layers_.size(); ++i) {
      CheckStop(input_.stop_check);
      const SceneGeometry scene = ReadPrediction(folder_, LensName(layers_[i]), frames_);
      boards_[0].layers.push_back(CompareScenes(scene, last));
      if (given) boards_[1].layers.push_back(CompareScenes(scene, *given));
      if (input_.progress) {
        input_.progress(static_cast<double>(i + 1) / static_cast<double>(layers_.size()));
      }
    }
  }

  SceneGeometry AtFrames(const SceneGeometry& scene) const {
    SceneGeometry out;
    out.text = scene.text;
    out.views.resize(scene.views.size());
    ParallelFor(scene.views.size(), 1, [&](size_t i) {
      if (scene.views[i]) out.views[i] = AtFrame(*scene.views[i], frames_.transforms[i]);
    });
    return out;
  }

  std::string SampleOf() const {
    return fmt::format("all pixels of all {} pictures", frames_.frames);
  }

  void AddFindings(const LensBoard& board) {
    const auto of = [&](size_t layer, LensMetric metric) {
      return board.layers[layer].median.of(metric);
    };
    std::vector<std::string> parts;
    const size_t middle = layers_.size() / 2;
    std::vector<size_t> told = {0};
    if (middle > 0) told.push_back(middle);
    if (layers_.size() - 1 > middle) told.push_back(layers_.size() - 1);
    for (const size_t i : told) {
      parts.push_back(fmt::format("after layer {} {:.1f}° and {}", layers_[i] + 1,
                                  of(i, LensMetric::kRotation),
                                  PercentText(of(i, LensMetric::kDepth))));
    }
    section_.findings.push_back(fmt::format(
        "Against {}, cameras are turned and depths off by: {} (medians of the pictures).",
        board.text, fmt::join(parts, ", ")));
    // The first layer from which on all are near; the last one is no news against itself.
    size_t first = layers_.size();
    while (first > 0 && of(first - 1, LensMetric::kRotation) <= kNearDegrees &&
           of(first - 1, LensMetric::kTranslation) <= kNearDegrees) {
      --first;
    }
    if (first < layers_.size() && of(first, LensMetric::kRotation) > 0) {
      section_.findings.push_back(
          fmt::format("From layer {} on cameras are within {:g}° of them, in rotation and in the "
                      "direction of the translation.",
                      layers_[first] + 1, kNearDegrees));
    }
  }

  LinePanel PanelOf(const LensBoard& board, const LensMetricInfo& info) const {
    ChartSeries series{.label = "median of the pictures, with quartiles", .points = true};
    for (size_t i = 0; i < layers_.size(); ++i) {
      series.x.push_back(static_cast<double>(layers_[i] + 1));
      series.y.push_back(board.layers[i].median.of(info.metric));
      series.low.push_back(board.layers[i].low.of(info.metric));
      series.high.push_back(board.layers[i].high.of(info.metric));
    }
    LinePanel panel;
    panel.title = info.label;
    panel.x_label = "after global layer";
    panel.y_label = *info.unit == '\0' ? info.label : info.unit;
    if (info.metric != LensMetric::kFocal && info.metric != LensMetric::kCorrelation) {
      panel.y_low = 0;
    }
    if (board.last && std::isfinite(board.last->median.of(info.metric))) {
      panel.levels.emplace_back(board.last->median.of(info.metric), "last layer");
    }
    panel.series = {std::move(series)};
    return panel;
  }

  Chart CurvesOf(const LensBoard& board) const {
    Chart chart;
    chart.name = "lens" + board.suffix;
    chart.title = "What the heads make of each layer, against " + board.text;
    chart.caption = fmt::format("{} Against {}; {}.", kLensDefinition, board.text, SampleOf());
    chart.columns = 3;
    for (const LensMetricInfo& info : LensMetrics()) {
      chart.panels.emplace_back(PanelOf(board, info));
    }
    return chart;
  }

  ReportTable TableFor(const LensBoard& board, const char* name, const char* title) const {
    ReportTable table;
    table.name = name + board.suffix;
    table.title = title;
    table.definition = fmt::format("{} Against {}.", kLensDefinition, board.text);
    table.sample = SampleOf();
    table.columns = {{"layer", "", "after which, from 1"}, {"layer_index", "", "from 0"}};
    return table;
  }

  // One row a layer.
  ReportTable LayersTableOf(const LensBoard& board) const {
    ReportTable table = TableFor(board, "lens", "Cameras and depth after each layer");
    for (const LensMetricInfo& info : LensMetrics()) {
      table.columns.push_back(
          {info.name, info.unit, fmt::format("median over pictures. {}", info.definition)});
    }
    for (const LensMetricInfo& info : LensMetrics()) {
      table.columns.push_back({fmt::format("{}_q25", info.name), info.unit, "lower quartile"});
      table.columns.push_back({fmt::format("{}_q75", info.name), info.unit, "upper quartile"});
    }
    table.columns.push_back({"scale", "", "s: what depths were multiplied with"});
    for (size_t i = 0; i < layers_.size(); ++i) {
      const LensErrors& errors = board.layers[i];
      std::vector<TableCell> row = {layers_[i] + 1, layers_[i]};
      row.insert(row.end(), errors.median.begin(), errors.median.end());
      for (size_t metric = 0; metric < kLensMetrics; ++metric) {
        row.insert(row.end(), {errors.low[metric], errors.high[metric]});
      }
      row.emplace_back(errors.scale);
      table.rows.push_back(std::move(row));
    }
    return table;
  }

  // One row a layer and picture.
  ReportTable FramesTableOf(const LensBoard& board) const {
    ReportTable table = TableFor(board, "lens_pictures", "The same of each picture");
    table.columns.push_back({"picture", "", "from 0"});
    for (const LensMetricInfo& info : LensMetrics()) {
      table.columns.push_back({info.name, info.unit, info.definition});
    }
    for (size_t i = 0; i < layers_.size(); ++i) {
      const std::vector<LensNumbers>& frames = board.layers[i].frames;
      for (size_t frame = 0; frame < frames.size(); ++frame) {
        std::vector<TableCell> row = {layers_[i] + 1, layers_[i], static_cast<int64_t>(frame)};
        row.insert(row.end(), frames[frame].begin(), frames[frame].end());
        table.rows.push_back(std::move(row));
      }
    }
    return table;
  }

  const SectionInput& input_;
  const FrameList& frames_;
  const std::filesystem::path folder_;
  const std::vector<int64_t> layers_;  // from 0
  std::vector<LensBoard> boards_;
  Section section_;
};

}  // namespace

Section LensSection(const SectionInput& input) {
  const auto folder = input.source.GeometryFolder();
  std::vector<int64_t> layers;
  if (folder) layers = LensLayers(*folder);
  if (layers.empty()) {
    Section section;
    section.name = "lens";
    section.title = "Cameras and depth after each layer";
    section.notes.push_back(
        "How cameras and depth come about through the layers is not told: that needs an export "
        "with `geometry` and `layers_lens`, of a checkpoint with prediction heads. It adds what "
        "these make of each of the layers, as curves here and as points in the 3D view.");
    return section;
  }
  return LensMaker(input, *folder, std::move(layers)).Make();
}

}  // namespace vggt
