// SPDX-License-Identifier: Apache-2.0
#include "server/report_answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/correspondence.h"
#include "analysis/head_labels.h"
#include "formats/npy.h"

namespace vggt {
namespace {

// The parts that are the same of every export.
OrderedJson HeadsForm(const char* state, double progress, const std::string& message,
                      const std::string& sample) {
  OrderedJson json = {{"state", state},
                      {"progress", progress},
                      {"message", message},
                      {"sample", sample},
                      {"metrics", OrderedJson::array()},
                      {"labels", OrderedJson::array()},
                      {"blocks", OrderedJson::array()}};
  for (const HeadMetricInfo& info : HeadMetrics()) {
    json["metrics"].push_back({{"name", info.name},
                               {"label", info.label},
                               {"unit", info.unit},
                               {"definition", info.definition}});
  }
  for (const HeadLabelInfo& info : HeadLabels()) {
    json["labels"].push_back({{"name", info.name}, {"label", info.text}, {"rule", info.rule}});
  }
  return json;
}

OrderedJson LabelsJson(const ReportLayer& layer) {
  OrderedJson heads = OrderedJson::array();
  for (const std::vector<HeadLabel>& labels : layer.labels) {
    OrderedJson names = OrderedJson::array();
    for (const HeadLabel label : labels) {
      names.push_back(HeadLabels()[static_cast<size_t>(label)].name);
    }
    heads.push_back(std::move(names));
  }
  return heads;
}

// What is not finite becomes null when it is written.
std::vector<double> OfMetric(const std::vector<double>& of_all, size_t metric, int64_t heads) {
  const auto begin = of_all.begin() + static_cast<std::ptrdiff_t>(metric) * heads;
  return {begin, begin + heads};
}

OrderedJson BlockJson(const ReportState& state, const QkBlocks& blocks,
                      const QkDescription& description) {
  OrderedJson layers = OrderedJson::array(), errors = OrderedJson::array();
  OrderedJson labels = OrderedJson::array();
  OrderedJson values = OrderedJson::object(), standard_errors = OrderedJson::object();
  OrderedJson uniform = OrderedJson::object();
  for (const HeadMetricInfo& info : HeadMetrics()) {
    values[info.name] = standard_errors[info.name] = uniform[info.name] = OrderedJson::array();
  }
  for (const ReportLayer& layer : state.layers) {
    if (layer.kind != blocks.kind) continue;
    const LayerStatistics* s = layer.statistics.get();
    layers.push_back(blocks.layers[layer.layer].index + 1);
    errors.push_back(layer.error.empty() ? OrderedJson() : OrderedJson(PrintableText(layer.error)));
    labels.push_back(s == nullptr ? OrderedJson() : LabelsJson(layer));
    for (size_t m = 0; m < kHeadMetrics; ++m) {
      const char* name = HeadMetrics()[m].name;
      if (s == nullptr) {
        for (OrderedJson* of : {&values, &standard_errors, &uniform})
          (*of)[name].push_back(nullptr);
      } else {
        values[name].push_back(OfMetric(s->mean, m, s->heads));
        standard_errors[name].push_back(OfMetric(s->standard_error, m, s->heads));
        uniform[name].push_back(s->uniform[m]);
      }
    }
  }
  return {{"block", BlockKindName(blocks.kind)},
          {"layers", std::move(layers)},
          {"heads", blocks.heads},
          {"frames", description.frames},
          {"values", std::move(values)},
          {"standard_errors", std::move(standard_errors)},
          {"uniform", std::move(uniform)},
          {"labels", std::move(labels)},
          {"errors", std::move(errors)}};
}

// How far it is, in a word and in a sentence.
std::pair<const char*, std::string> Progress(const ReportState& state) {
  const auto all = std::ssize(state.layers);
  const auto failed = std::ranges::count_if(
      state.layers, [](const ReportLayer& layer) { return !layer.error.empty(); });
  const auto computed = std::ranges::count_if(
      state.layers, [](const ReportLayer& layer) { return layer.statistics != nullptr; });
  if (computed + failed < all) {
    return {"computing", fmt::format("{} of {} layers are computed", computed, all)};
  }
  if (failed == 0) return {"ready", ""};
  const auto first = std::ranges::find_if(
      state.layers, [](const ReportLayer& layer) { return !layer.error.empty(); });
  return {"failed", fmt::format("{} of {} layers cannot be computed: {}", failed, all,
                                PrintableText(first->error))};
}

}  // namespace

OrderedJson HeadsJson(const ReportState& state, const QkDescription& description,
                      bool has_geometry) {
  const auto [word, message] = Progress(state);
  const TokenGrid grid = description.token_grid(description.blocks.front());
  OrderedJson json = HeadsForm(word, state.progress, message, SampleText(state.sample, grid));
  for (const QkBlocks& blocks : description.blocks) {
    json["blocks"].push_back(BlockJson(state, blocks, description));
    if (blocks.kind != BlockKind::kGlobal || !has_geometry || description.frames < 2) continue;
    for (const MatchMetricInfo& info : MatchMetrics()) {
      json["metrics"].push_back({{"name", info.name},
                                 {"label", info.label},
                                 {"unit", info.unit},
                                 {"definition", info.definition},
                                 {"table", "matches"}});
    }
  }
  return json;
}

OrderedJson NoHeadsJson(const char* state, const std::string& message) {
  return HeadsForm(state, 0, PrintableText(message), "");
}

std::string FrameMassNpy(const LayerStatistics& s) {
  std::string body = NpyHeader("<f4", {s.heads, s.grid.frames, s.grid.frames + 1});
  body.append(reinterpret_cast<const char*>(s.frame_mass.data()),
              s.frame_mass.size() * sizeof(float));
  return body;
}

OrderedJson SimilarJson(const std::vector<HeadDistance>& found, const QkBlocks& blocks,
                        const TokenGrid& grid) {
  OrderedJson heads = OrderedJson::array();
  for (const HeadDistance& other : found) {
    heads.push_back({{"layer", blocks.layers[other.layer].index + 1},
                     {"head", other.head},
                     {"distance", other.distance}});
  }
  return {{"definition", SimilarityDefinition(grid)}, {"heads", std::move(heads)}};
}

}  // namespace vggt
