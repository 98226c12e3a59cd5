// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "core/error.h"

namespace vggt {
namespace {

// What a figure may hold: more than four queries in all layers and heads of VGGT-1B, in two exports
// and subtracted.
constexpr size_t kMostFigureMaps = 8192;
constexpr int64_t kMostFigureValues = 64 << 20;  // 256 MiB

LayerValues ReadStored(const RecipePlan& plan, const RecipePart& part, size_t query, size_t layer) {
  const Spot& spot = plan.recipe.queries[query];
  const std::vector<int> frames = Range(0, static_cast<size_t>(part.all_frames));
  LayerValues out;
  out.heads = std::ssize(part.heads);
  out.frames = part.all_frames;
  out.patches = part.rows * part.cols;
  out.scales.resize(part.heads.size());
  const int64_t of_head = out.frames * out.patches;
  std::vector<uint8_t> levels(static_cast<size_t>(out.heads * of_head));
  part.source.maps.Read(part.places[layer], spot.cell.row * part.cols + spot.cell.col, part.heads,
                        frames, levels, out.scales);
  out.values = FloatBuffer(out.heads * of_head);
  for (int64_t h = 0; h < out.heads; ++h) {
    const double step = out.scales[static_cast<size_t>(h)] / 255;
    for (int64_t i = h * of_head; i < (h + 1) * of_head; ++i) {
      out.values.data()[i] = static_cast<float>(levels[static_cast<size_t>(i)] * step);
    }
  }
  return out;
}

double SumOf(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// The mode that is in use: a number that is given says nothing of values that may be negative, and
// signed values are shown from the least to the largest, whatever their maximum is.
ScaleMode ModeOf(const RecipePlan& plan, bool difference) {
  const ScaleMode mode = plan.recipe.scale;
  const bool is_signed = plan.is_signed() && !difference;
  const bool unfit = (mode == ScaleMode::kFixed && (is_signed || difference)) ||
                     (mode == ScaleMode::kMaximum && is_signed);
  return unfit ? ScaleMode::kView : mode;
}

// Fills in the shares of one head.
void Weigh(const RecipePlan& plan, const LayerValues& values, int64_t head, bool reduced,
           HeadMaps& out) {
  if (plan.is_signed()) return;
  for (int64_t f = 0; f < values.frames; ++f) {
    out.frame_mass.push_back(SumOf(values.Patches(head, f)));
    out.special_mass.push_back(
        SumOf(values.Tokens(head, f).first(static_cast<size_t>(values.special_tokens))));
  }
  const Recipe& r = plan.recipe;
  const bool adds_up =
      !plan.stored() && !r.incoming && !(reduced && r.reduce == HeadReduction::kMax);
  if (adds_up) return;
  double total = 0;
  for (const auto* masses : {&out.frame_mass, &out.special_mass}) {
    for (const double mass : *masses) total += mass;
  }
  if (total == 0) return;
  for (auto* masses : {&out.frame_mass, &out.special_mass}) {
    for (double& mass : *masses) mass /= total;
  }
}

// How many maps are on show of one query and export.
int64_t MapsOf(const RecipePart& part, size_t query) {
  return std::ssize(part.layers) * std::ssize(part.heads) * std::ssize(part.frames[query]);
}

void CheckSize(const RecipePlan& plan) {
  double maps = 0, values = 0;
  for (const RecipePart& part : plan.parts) {
    for (size_t q = 0; q < plan.recipe.queries.size(); ++q) {
      const auto count = static_cast<double>(MapsOf(part, q));
      maps += count;
      values += count * static_cast<double>(part.rows * part.cols);
    }
  }
  if (plan.difference()) {
    maps *= 1.5;
    values *= 1.5;
  }
  if (maps <= kMostFigureMaps && values <= static_cast<double>(kMostFigureValues)) return;
  throw RequestError(
      RequestError::Kind::kMalformed, "view",
      fmt::format("{:.0f} maps, which are {}; a figure holds at most {}, and {}", maps,
                  HumanBytes(values * sizeof(float)), kMostFigureMaps,
                  HumanBytes(static_cast<double>(kMostFigureValues * sizeof(float)))),
      "Ask for fewer `queries` or `frames`, or for another `view`.");
}

}  // namespace

std::span<const float> LayerValues::Tokens(int64_t head, int64_t frame) const {
  const int64_t tokens = special_tokens + patches;
  return values.span().subspan(static_cast<size_t>((head * frames + frame) * tokens),
                               static_cast<size_t>(tokens));
}

std::span<const float> LayerValues::Patches(int64_t head, int64_t frame) const {
  return Tokens(head, frame).subspan(static_cast<size_t>(special_tokens));
}

LayerValues ReadLayerValues(const RecipePlan& plan, size_t part_place, size_t query, size_t layer,
                            const StopCheck& stop_check) {
  CheckStop(stop_check);
  const RecipePart& part = plan.parts[part_place];
  if (plan.stored()) return ReadStored(plan, part, query, layer);
  AttentionRequest request = RequestOf(plan, part, query);
  request.layers = {part.places[layer]};
  AttentionAnswer answer = part.source.rows->Answer(request, stop_check);
  LayerValues out;
  out.heads = answer.shape[1];
  out.frames = answer.shape[2];
  out.special_tokens = answer.special_tokens;
  out.patches = answer.shape[3] - answer.special_tokens;
  out.values = std::move(answer.values);
  return out;
}

LayerValues Minus(const LayerValues& a, const LayerValues& b) {
  if (a.values.size() != b.values.size()) throw Error("maps of other shapes are subtracted");
  LayerValues out;
  out.heads = a.heads;
  out.frames = a.frames;
  out.special_tokens = a.special_tokens;
  out.patches = a.patches;
  out.values = FloatBuffer(static_cast<int64_t>(a.values.size()));
  std::transform(a.values.data(), a.values.data() + a.values.size(), b.values.data(),
                 out.values.data(), std::minus<>());
  return out;
}

double RecipeProducts(const RecipePlan& plan) {
  double products = 0;
  for (const RecipePart& part : plan.parts) {
    for (size_t q = 0; q < plan.recipe.queries.size() && !plan.stored(); ++q) {
      products += part.source.rows->Products(RequestOf(plan, part, q));
    }
  }
  return products;
}

class RecipeMaps::State {
 public:
  State(const RecipePlan& plan, const StopCheck& stop_check);

  // Those that share a scale: all of them, those of a layer, or those of a layer and head. Layers
  // are named by their numbers, so that two exports can share scales.
  using Key = std::tuple<size_t /* GroupOf */, int64_t /* layer or 0 */, int /* head or −1 */>;
  struct Reach {
    // `most`: at least as many values as it will take.
    Reach(int64_t most, bool difference) : values(most), magnitudes(difference ? most : 0) {}

    void Take(std::span<const float> map, bool difference) {
      values.Add(map);
      if (!difference) return;
      std::vector<float> absolute(map.begin(), map.end());
      for (float& value : absolute) value = std::abs(value);
      magnitudes.Add(absolute);
    }

    StatsCollector values;
    StatsCollector magnitudes;  // of differences
    double end = 0;             // of stored maps
    // Of stored maps: the largest of the scales at which some value is clipped, 0 if none is.
    double clipped_at = 0;
  };

  const HeadMaps& Head(size_t part, size_t query, size_t layer, size_t head) const {
    return heads[part][query][layer * plan.part_of(part).heads.size() + head];
  }
  ScaleMode Mode(bool difference) const { return ModeOf(plan, difference); }
  // Parts that share scales have the same number.
  size_t GroupOf(size_t part) const {
    return plan.is_difference(part) || plan.recipe.own ? part : 0;
  }
  Key KeyOf(size_t part, size_t layer, size_t head) const;
  bool ToMaximum(bool difference) const {
    return Mode(difference) == ScaleMode::kMap || Mode(difference) == ScaleMode::kMaximum;
  }
  ScaleRange RangeOfReach(const Reach& reach, bool difference) const;
  ScaleRange RangeOfMap(const HeadMaps& maps, size_t frame, bool difference) const;

  const RecipePlan& plan;
  // [part][query][layer, head]
  std::vector<std::vector<std::vector<HeadMaps>>> heads;
  std::map<Key, ScaleRange> ranges;

 private:
  void Add(size_t part, size_t query, size_t layer, const LayerValues& values);
  void CountValues();

  std::map<Key, int64_t> counts_;
  std::map<Key, Reach> reaches_;
};

RecipeMaps::State::Key RecipeMaps::State::KeyOf(size_t part, size_t layer, size_t head) const {
  const size_t group = GroupOf(part);
  const RecipePart& of = plan.part_of(part);
  switch (Mode(plan.is_difference(part))) {
    case ScaleMode::kHead:
      return {group, of.layers[layer], of.heads[head]};
    case ScaleMode::kLayer:
      return {group, of.layers[layer], -1};
    default:
      return {group, 0, -1};
  }
}

// A collector has to know before how many values it will see.
void RecipeMaps::State::CountValues() {
  const size_t parts = plan.shown();
  for (size_t p = 0; p < parts; ++p) {
    const RecipePart& part = plan.part_of(p);
    for (size_t l = 0; l < part.layers.size(); ++l) {
      for (size_t h = 0; h < part.heads.size(); ++h) {
        for (const FrameRange& met : part.met) {
          counts_[KeyOf(p, l, h)] += met.count() * part.rows * part.cols;
        }
      }
    }
  }
}

ScaleRange RecipeMaps::State::RangeOfReach(const Reach& reach, bool difference) const {
  const Recipe& r = plan.recipe;
  const bool to_maximum = ToMaximum(difference);
  const ValueStats values = reach.values.Stats();
  if (difference) return DifferenceRange(values, reach.magnitudes.Stats(), to_maximum);
  const ScaleKind kind = plan.is_signed() ? ScaleKind::kSigned : ScaleKind::kProbability;
  ScaleRange range = RangeOf(values, kind, to_maximum, r.log);
  if (Mode(difference) == ScaleMode::kFixed) {
    range = RangeTo(r.fixed, values, r.log);
  } else if (plan.stored() && !to_maximum) {
    range = RangeTo(reach.end, values, r.log);
  }
  if (plan.stored()) {
    // What level 255 stands for is rounded to float32 in values.
    constexpr double kRounding = 1e-6;
    const double high = range.colours.high;
    range.clipped = reach.clipped_at > 0 && reach.clipped_at >= values.largest * (1 - kRounding);
    range.above = values.largest > high * (1 + kRounding) ||
                  (range.clipped && reach.clipped_at >= high * (1 - kRounding));
  }
  return range;
}

// Whether a map of stored levels has one that stands for `scale` or more.
bool HasLastLevel(std::span<const float> map, double scale) {
  const auto last = static_cast<float>(255 * (scale / 255));
  return last > 0 && std::find(map.begin(), map.end(), last) != map.end();
}

ScaleRange RecipeMaps::State::RangeOfMap(const HeadMaps& maps, size_t frame,
                                         bool difference) const {
  const std::vector<float>& map = maps.maps[frame];
  Reach reach(std::ssize(map), difference);
  reach.Take(map, difference);
  if (HasLastLevel(map, maps.scale)) reach.clipped_at = maps.scale;
  return RangeOfReach(reach, difference);
}

void RecipeMaps::State::Add(size_t p, size_t query, size_t layer, const LayerValues& values) {
  const RecipePart& part = plan.part_of(p);
  const bool difference = plan.is_difference(p);
  const bool reduced = part.heads.front() == kEveryHead;
  for (size_t h = 0; h < part.heads.size(); ++h) {
    const auto head = static_cast<int64_t>(h);
    HeadMaps& maps = heads[p][query][layer * part.heads.size() + h];
    for (const int frame : part.frames[query]) {
      const std::span<const float> map = values.Patches(head, frame);
      maps.maps.emplace_back(map.begin(), map.end());
    }
    if (!difference) Weigh(plan, values, head, reduced, maps);
    const Key key = KeyOf(p, layer, h);
    if (!difference) maps.scale = values.scales.empty() ? 0 : values.scales[h];
    Reach& reach = reaches_.try_emplace(key, counts_[key], difference).first->second;
    for (int64_t f = part.met[query].first; f < part.met[query].last; ++f) {
      reach.Take(values.Patches(head, f), difference);
    }
    if (values.scales.empty()) continue;
    const LayerMetadata& m = part.source.maps.layers()[part.places[layer]].metadata;
    const double scale = values.scales[h];
    reach.end =
        std::max(reach.end, plan.recipe.scale == ScaleMode::kLayer ? m.layer_vmax99 : scale);
    for (int64_t f = 0; f < values.frames && reach.clipped_at < scale; ++f) {
      if (HasLastLevel(values.Patches(head, f), scale)) reach.clipped_at = scale;
    }
  }
}

RecipeMaps::State::State(const RecipePlan& of, const StopCheck& stop_check) : plan(of) {
  CheckSize(plan);
  CountValues();
  const size_t queries = plan.recipe.queries.size();
  heads.resize(plan.shown());
  for (size_t p = 0; p < heads.size(); ++p) {
    const RecipePart& part = plan.part_of(p);
    heads[p].assign(queries, std::vector<HeadMaps>(part.layers.size() * part.heads.size()));
  }
  for (size_t q = 0; q < queries; ++q) {
    if (plan.difference()) {
      for (size_t l = 0; l < plan.parts[0].layers.size(); ++l) {
        const LayerValues a = ReadLayerValues(plan, 0, q, l, stop_check);
        const LayerValues b = ReadLayerValues(plan, 1, q, l, stop_check);
        Add(0, q, l, a);
        Add(1, q, l, b);
        Add(2, q, l, Minus(a, b));
      }
      continue;
    }
    for (size_t p = 0; p < plan.parts.size(); ++p) {
      for (size_t l = 0; l < plan.parts[p].layers.size(); ++l) {
        Add(p, q, l, ReadLayerValues(plan, p, q, l, stop_check));
      }
    }
  }
  for (const auto& [key, reach] : reaches_) {
    ranges[key] = RangeOfReach(reach, plan.is_difference(std::get<0>(key)));
  }
}

RecipeMaps::RecipeMaps(const RecipePlan& plan, const StopCheck& stop_check)
    : state_(std::make_unique<State>(plan, stop_check)) {}
RecipeMaps::~RecipeMaps() = default;

const HeadMaps& RecipeMaps::Head(size_t part, size_t query, size_t layer, size_t head) const {
  return state_->Head(part, query, layer, head);
}

ScaleRange RecipeMaps::Range(size_t part, size_t query, size_t layer, size_t head,
                             size_t frame) const {
  const bool difference = state_->plan.is_difference(part);
  const ScaleRange& shared = state_->ranges.at(state_->KeyOf(part, layer, head));
  if (state_->Mode(difference) != ScaleMode::kMap) return shared;
  return state_->RangeOfMap(Head(part, query, layer, head), frame, difference);
}

bool RecipeMaps::HasOneRange(size_t part) const {
  const size_t group = state_->GroupOf(part);
  if (state_->Mode(state_->plan.is_difference(part)) == ScaleMode::kMap) return false;
  return std::count_if(state_->ranges.begin(), state_->ranges.end(),
                       [&](const auto& each) { return std::get<0>(each.first) == group; }) <= 1;
}

std::string ReachName(const RecipePlan& plan, bool difference) {
  const bool is_signed = plan.is_signed() && !difference;
  const char* from = is_signed ? "least to largest" : "99 %";
  const bool exported = plan.stored() && !difference;
  switch (ModeOf(plan, difference)) {
    case ScaleMode::kView:
      if (exported) return "exported vmax, the largest of all shown";
      return fmt::format("{} of all shown, in all frames", from);
    case ScaleMode::kHead:
      if (exported) return "exported vmax of each head";
      return fmt::format("{} of each head, in all frames", from);
    case ScaleMode::kLayer:
      if (exported) return "exported vmax of each layer";
      return fmt::format("{} of each layer, in all frames", from);
    case ScaleMode::kMap:
      return is_signed ? "least to largest of each map" : "each map to its maximum";
    case ScaleMode::kMaximum:
      return "maximum of all shown, in all frames";
    case ScaleMode::kFixed:
      break;
  }
  return "fixed";
}

}  // namespace vggt
