// SPDX-License-Identifier: Apache-2.0
#include "report/dynamic_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "analysis/dynamic_masks.h"
#include "analysis/dynamic_score.h"
#include "analysis/layer_choice.h"
#include "attention/request.h"
#include "core/frame_transform.h"

namespace vggt {
namespace {

constexpr size_t kMostDynamicMaps = 12;
// The published threshold is that of maps enlarged to the size that the model sees; of many
// pictures to less, so that they fit in memory.
constexpr int64_t kPublishedFactor = 14, kMostEnlarged = 16'000'000;
constexpr float kMostDepthError = 0.2F;  // the last colour

std::string DynamicText(const QkDescription& description, const QkBlocks& blocks) {
  const auto layers = [&](DynamicPart part) {
    return LayersText(
        blocks, DynamicLayers(description, blocks, DynamicParts()[static_cast<size_t>(part)]));
  };
  std::string text = fmt::format(
      "Dynamic map as VGGT4D's code (arXiv 2511.19971) has it before clustering and thresholding: "
      "(1 − mean q·q, {}) · (1 − spread of q·q, {}) · (mean q·q, {}) · (1 − mean k·k, {}) · "
      "(spread of q·k, {}). Each factor is of a patch's raw products, after RoPE and without 1/√d, "
      "with all patches of the pictures two, four and six places before and after its own, the "
      "mean over layers, heads and pictures; spread is the standard deviation over patches. Each "
      "factor and the product are scaled to 0 … 1 in each picture. Pictures are taken to be in the "
      "order of time.",
      layers(DynamicPart::kEarlyQueryMean), layers(DynamicPart::kLateQuerySpread),
      layers(DynamicPart::kLateQueryMean), layers(DynamicPart::kFirstKeyMean),
      layers(DynamicPart::kFirstCrossSpread));
  constexpr int64_t kPublishedDepth = 24;
  if (DepthOf(description, blocks) != kPublishedDepth) {
    text += fmt::format(
        " The layers of the published 24 (3–7, 18–19, 17–21 and 0, from 0) are scaled to this "
        "model's {} by their share of the depth.",
        DepthOf(description, blocks));
  }
  return text;
}

class DynamicMaker {
 public:
  explicit DynamicMaker(const SectionInput& input)
      : input_(input),
        description_(input.store.description()),
        blocks_(BlocksOf(description_, BlockKind::kGlobal)),
        text_(DynamicText(description_, blocks_)),
        scores_(ComputeDynamicScores(input.store, input.stop_check)) {
    for (int64_t f = 0; f < scores_.frames; ++f) {
      if (!Map(scores_.score, f).empty()) with_map_.push_back(f);
    }
  }

  Section Make() {
    section_.name = "dynamic";
    section_.title = "What moves";
    AddMaps();
    AddParts();
    AddTable();
    AddMasks();
    AddDepthErrors();
    if (!scores_.without_window.empty()) {
      section_.notes.push_back(
          fmt::format("No picture is two, four or six places away from picture {}, so that there "
                      "is no map of it.",
                      fmt::join(scores_.without_window, ", ")));
    }
    if (input_.progress) input_.progress(1);
    return std::move(section_);
  }

 private:
  // [patches]; empty if the frame has none.
  std::vector<float> Map(const std::vector<float>& values, int64_t frame) const {
    const auto begin = values.begin() + frame * scores_.patches;
    if (std::isnan(*begin)) return {};
    return {begin, begin + scores_.patches};
  }

  MapPanel Panel(const std::string& title, std::vector<float> map, int64_t frame, bool bar) const {
    MapPanel panel;
    panel.title = title;
    panel.picture = input_.picture(static_cast<size_t>(frame));
    panel.map = std::move(map);
    panel.colours.colormap = Colormap::kInferno;
    panel.colours.range = {0, 1, false};
    panel.colours.opacity = 0.8;
    panel.unit = "score, scaled in each picture";
    panel.bar = bar;
    return panel;
  }

  void AddMaps() {
    Chart chart;
    chart.name = "dynamic";
    chart.title = "What moves, by VGGT4D's score";
    chart.caption = text_;
    const size_t count = std::min(kMostDynamicMaps, with_map_.size());
    for (size_t i = 0; i < count; ++i) {
      const int64_t frame = with_map_[i * with_map_.size() / count];
      chart.panels.emplace_back(Panel(fmt::format("picture {}", frame), Map(scores_.score, frame),
                                      frame, i + 1 == count));
    }
    section_.charts.push_back(std::move(chart));
  }

  MapPanel PlainPanel(int64_t frame, std::vector<float> map, float most, const char* unit,
                      bool bar) const {
    MapPanel panel = Panel(fmt::format("picture {}", frame), std::move(map), frame, bar);
    panel.colours.range = {0, most, false};
    panel.unit = unit;
    return panel;
  }

  // At most kMostDynamicMaps of them, evenly spaced.
  std::vector<int64_t> Shown(const std::vector<int64_t>& frames) const {
    const size_t count = std::min(kMostDynamicMaps, frames.size());
    std::vector<int64_t> shown;
    for (size_t i = 0; i < count; ++i) shown.push_back(frames[i * frames.size() / count]);
    return shown;
  }

  void AddMasks() {
    const PatchFeatures features = FeaturesOfPatches(input_.store);
    const std::vector<int32_t> groups =
        KMeans(features.values, features.dim, kDynamicGroups, input_.seed, input_.stop_check);
    const std::vector<float> clustered = GroupMeans(scores_.score, groups, scores_.frames);
    const int64_t height = description_.H_p, width = description_.W_p;
    const int64_t all = std::ssize(with_map_) * scores_.patches;
    int64_t factor = kPublishedFactor;
    while (factor > 1 && all * factor * factor > kMostEnlarged) --factor;
    std::vector<float> enlarged;
    for (const int64_t frame : with_map_) {
      const std::vector<float> more = Enlarged(Map(clustered, frame), height, width, factor);
      enlarged.insert(enlarged.end(), more.begin(), more.end());
    }
    const double threshold = MotionThreshold(enlarged);
    const std::string text = fmt::format(
        "Masks as VGGT4D's code makes them of its map: patches of all pictures in {} groups "
        "(k-means, seed {}), the mean score of each group, scaled to 0 … 1 in each picture, "
        "enlarged bilinearly ({} times), and what exceeds a threshold that multi-level Otsu sets "
        "for all pictures together (2 to 4 classes, whichever have the largest variance of means / "
        "√classes): {:.3f}. Grouped are {}, in place of the encoder's features, which an export "
        "does not hold.",
        kDynamicGroups, input_.seed, factor, threshold, features.text);
    Chart chart;
    chart.name = "dynamic_masks";
    chart.title = "What moves, as masks";
    chart.caption = text + " Covered patches move.";
    const std::vector<int64_t> shown = Shown(with_map_);
    for (const int64_t frame : shown) {
      std::vector<float> mask = Map(clustered, frame);
      for (float& value : mask) value = static_cast<double>(value) > threshold ? 1.0F : 0.0F;
      chart.panels.emplace_back(PlainPanel(frame, std::move(mask), 1, "", false));
    }
    section_.charts.push_back(std::move(chart));

    ReportTable table;
    table.name = "dynamic_masks";
    table.title = "Masks of what moves";
    table.definition = text +
                       " Masks in the size of the pictures: data/dynamic_mask_….png, white "
                       "where something moves.";
    table.sample = fmt::format("all patches of {} pictures", scores_.frames);
    table.columns = {{"picture", "", "from 0"},
                     {"share", "share", "of the enlarged map, above the threshold"}};
    const auto of_frame = static_cast<size_t>(scores_.patches * factor * factor);
    for (size_t i = 0; i < with_map_.size(); ++i) {
      const auto first = enlarged.begin() + static_cast<std::ptrdiff_t>(i * of_frame);
      const auto above =
          std::count_if(first, first + static_cast<std::ptrdiff_t>(of_frame),
                        [&](float value) { return static_cast<double>(value) > threshold; });
      table.rows.push_back(
          {with_map_[i], static_cast<double>(above) / static_cast<double>(of_frame)});
    }
    const Shape shape = {scores_.frames, height, width};
    table.arrays.push_back({"clustered", "[pictures, rows, columns]",
                            "mean score of the patch's group, scaled; NaN without a map", shape,
                            clustered});
    table.arrays.push_back({"group", "[pictures, rows, columns]", "the patch's group, from 0",
                            shape, std::vector<float>(groups.begin(), groups.end())});
    section_.tables.push_back(std::move(table));
    for (const int64_t frame : with_map_) AddMaskPicture(frame, Map(clustered, frame), threshold);
  }

  // In the size of the picture's file, if the export says which that is.
  void AddMaskPicture(int64_t frame, std::vector<float> map, double threshold) {
    const auto at = static_cast<size_t>(frame);
    if (at >= description_.transforms.size()) return;
    const FrameTransform t = description_.transforms[at];
    const int64_t rows = description_.H_p, cols = description_.W_p;
    section_.pictures.push_back(
        {fmt::format("dynamic_mask_{:02}", frame), [=, map = std::move(map)] {
           Picture mask{
               static_cast<int>(t.original_width), static_cast<int>(t.original_height), {}};
           mask.rgb.resize(static_cast<size_t>(t.original_width * t.original_height) * 3);
           ParallelFor(static_cast<size_t>(t.original_height), 16, [&](size_t y) {
             uint8_t* rgb = mask.rgb.data() + y * static_cast<size_t>(t.original_width) * 3;
             for (int64_t x = 0; x < t.original_width; ++x, rgb += 3) {
               const Point place = ModelFromOriginal(
                   t, {static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5});
               const double col = place.x * static_cast<double>(cols) / t.model_width;
               const double row = place.y * static_cast<double>(rows) / t.model_height;
               if (row < 0 || row > static_cast<double>(rows)) continue;  // cropped away
               const float value = BilinearAt(map, rows, cols, col, row);
               std::fill_n(rgb, 3, static_cast<double>(value) > threshold ? 255 : 0);
             }
           });
           return mask;
         }});
  }

  // From cameras and depth alone, whatever attention says.
  void AddDepthErrors() {
    if (input_.geometry == nullptr || !HasDepth(*input_.geometry)) return;
    const std::vector<float> errors = DepthErrors(*input_.geometry, description_);
    const std::string text = fmt::format(
        "From {}{} alone: each patch's centre is lifted by its depth and projected into the other "
        "pictures; the median over those that show the place of |depth seen there − depth of the "
        "point| / depth of the point. What moves disagrees, and so does what others hide.",
        input_.geometry->predicted ? "the geometry predicted by " : "",
        PrintableText(input_.geometry->text));
    Chart chart;
    chart.name = "depth_errors";
    chart.title = "Where depths of pictures disagree";
    chart.caption = fmt::format("{} Colours end at {:g}.", text, kMostDepthError);
    std::vector<int64_t> known;
    const auto map_of = [&](int64_t frame) {
      const auto begin = errors.begin() + frame * scores_.patches;
      return std::vector<float>(begin, begin + scores_.patches);
    };
    ReportTable table;
    table.name = "depth_errors";
    table.title = "Where depths of pictures disagree";
    table.definition = text;
    table.sample = fmt::format("all patches of {} pictures", scores_.frames);
    table.columns = {{"picture", "", "from 0"},
                     {"known", "share", "patches of which another picture tells"},
                     {"median", "share", "of these, the median error"},
                     {"above_tenth", "share", "of these, those with an error above 0.1"}};
    for (int64_t frame = 0; frame < scores_.frames; ++frame) {
      std::vector<float> told = map_of(frame);
      std::erase_if(told, [](float error) { return std::isnan(error); });
      std::vector<TableCell> row = {
          frame, static_cast<double>(told.size()) / static_cast<double>(scores_.patches)};
      if (told.empty()) {
        row.resize(table.columns.size());
      } else {
        known.push_back(frame);
        std::sort(told.begin(), told.end());
        const auto above = std::ranges::count_if(told, [](float error) { return error > 0.1F; });
        row.insert(row.end(), {static_cast<double>(told[told.size() / 2]),
                               static_cast<double>(above) / static_cast<double>(told.size())});
      }
      table.rows.push_back(std::move(row));
    }
    table.arrays.push_back({"depth_error",
                            "[pictures, rows, columns]",
                            "the error; NaN where no other picture tells",
                            {scores_.frames, description_.H_p, description_.W_p},
                            errors});
    section_.tables.push_back(std::move(table));
    const std::vector<int64_t> shown = Shown(known);
    for (const int64_t frame : shown) {
      chart.panels.emplace_back(PlainPanel(frame, map_of(frame), kMostDepthError,
                                           "relative error of depth", frame == shown.back()));
    }
    if (!chart.panels.empty()) section_.charts.push_back(std::move(chart));
  }

  void AddParts() {
    const int64_t frame = with_map_[with_map_.size() / 2];
    Chart chart;
    chart.name = "dynamic_parts";
    chart.title = fmt::format("The five factors for picture {}", frame);
    chart.caption = text_;
    for (const DynamicPartInfo& part : DynamicParts()) {
      std::vector<float> map = Map(scores_.parts[static_cast<size_t>(part.part)], frame);
      if (part.inverted) {
        for (float& value : map) value = 1 - value;
      }
      chart.panels.emplace_back(Panel(part.label, std::move(map), frame, false));
    }
    chart.panels.emplace_back(Panel("their product", Map(scores_.score, frame), frame, true));
    section_.charts.push_back(std::move(chart));
  }

  void AddTable() {
    ReportTable table;
    table.name = "dynamic";
    table.title = "Dynamic maps of pictures";
    table.definition = text_;
    table.sample = fmt::format("all patches of {} pictures", scores_.frames);
    table.columns = {{"picture", "", "from 0"},
                     {"mean_score", "share", "mean over patches of the score"},
                     {"share_above_half", "share", "patches with a score above 0.5"},
                     {"row", "", "grid row of the largest score, from 0"},
                     {"col", "", "grid column of the largest score, from 0"}};
    for (int64_t f = 0; f < scores_.frames; ++f) {
      const std::vector<float> map = Map(scores_.score, f);
      std::vector<TableCell> row = {f};
      if (map.empty()) {
        row.resize(table.columns.size());
      } else {
        double sum = 0;
        for (const float value : map) sum += value;
        const auto above = std::count_if(map.begin(), map.end(), [](float x) { return x > 0.5F; });
        const int64_t most = std::max_element(map.begin(), map.end()) - map.begin();
        const auto patches = static_cast<double>(map.size());
        row.insert(row.end(), {sum / patches, static_cast<double>(above) / patches,
                               most / description_.W_p, most % description_.W_p});
      }
      table.rows.push_back(std::move(row));
    }
    const Shape shape = {scores_.frames, description_.H_p, description_.W_p};
    table.arrays.push_back({"score", "[pictures, rows, columns]",
                            "the score, 0 … 1 in each picture; NaN without a map", shape,
                            scores_.score});
    for (const DynamicPartInfo& part : DynamicParts()) {
      table.arrays.push_back(
          {part.name, "[pictures, rows, columns]",
           fmt::format("{}the factor {}, scaled in each picture",
                       part.inverted ? "not yet subtracted from 1: " : "", part.label),
           shape, scores_.parts[static_cast<size_t>(part.part)]});
    }
    section_.tables.push_back(std::move(table));
    section_.findings.push_back(
        "The score is scaled in each picture, so that something is bright in every one, also in a "
        "scene where nothing moves; it tells where, not whether.");
  }

  const SectionInput& input_;
  const QkDescription& description_;
  const QkBlocks& blocks_;
  const std::string text_;
  const DynamicScores scores_;
  std::vector<int64_t> with_map_;
  Section section_;
};

}  // namespace

Section DynamicSection(const SectionInput& input) { return DynamicMaker(input).Make(); }

}  // namespace vggt
