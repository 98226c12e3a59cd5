// SPDX-License-Identifier: Apache-2.0
#include "figure/table.h"

#include <fmt/format.h>

#include <iterator>

#include "core/error.h"
#include "figure/recipe_maps.h"
#include "formats/csv.h"
#include "formats/npy.h"

namespace vggt {
namespace {

std::string SourceFields(const PictureSource* source) {
  if (source == nullptr) return ",";
  return CsvName(source->file) + ',' + (source->seconds ? fmt::format("{}", *source->seconds) : "");
}

LayerValues ReadPart(const RecipePlan& plan, size_t part, size_t query, size_t layer,
                     const StopCheck& stop_check) {
  if (!plan.is_difference(part)) return ReadLayerValues(plan, part, query, layer, stop_check);
  return Minus(ReadLayerValues(plan, 0, query, layer, stop_check),
               ReadLayerValues(plan, 1, query, layer, stop_check));
}

// Calls body(part, query, layer, values) in the order of files; all but the last are places.
template <typename Body>
void ForEachLayer(const RecipePlan& plan, const StopCheck& stop_check, const Body& body) {
  for (size_t part = 0; part < plan.shown(); ++part) {
    for (size_t query = 0; query < plan.recipe.queries.size(); ++query) {
      for (size_t layer = 0; layer < plan.part_of(part).layers.size(); ++layer) {
        body(part, query, layer, ReadPart(plan, part, query, layer, stop_check));
      }
    }
  }
}

}  // namespace

std::string TableHeader() {
  return "scene,definition,query,layer,head,frame,file,time,token,row,col,value\n";
}

std::string TableLines(const TableFrame& frame, std::span<const float> tokens) {
  const std::string before = fmt::format(
      "{},{},{},{},{},{},{}", CsvName(frame.scene), CsvField(frame.definition),
      CsvField(frame.query), frame.layer, frame.head, frame.frame, SourceFields(frame.source));
  std::string text;
  const auto end = std::back_inserter(text);
  const size_t specials = frame.special_tokens.size();
  for (size_t t = 0; t < specials; ++t) {
    const std::string name = CsvName(Printable(frame.special_tokens[t]));
    fmt::format_to(end, "{},{},,,{:.9g}\n", before, name, tokens[t]);
  }
  for (size_t t = specials; t < tokens.size(); ++t) {
    const auto cell = static_cast<int64_t>(t - specials);
    fmt::format_to(end, "{},patch,{},{},{:.9g}\n", before, cell / frame.cols, cell % frame.cols,
                   tokens[t]);
  }
  return text;
}

std::vector<std::string> SceneNames(const RecipePlan& plan) {
  std::vector<std::string> names;
  for (const RecipePart& part : plan.parts) names.push_back(part.source.name);
  if (names.size() == 2 && names[0] == names[1]) {
    const std::vector<std::string> folders = FolderNames(plan);
    for (size_t i = 0; i < 2; ++i) names[i] += fmt::format(" ({})", Printable(folders[i]));
  }
  if (plan.difference()) names.push_back(fmt::format("{} − {}", names[0], names[1]));
  return names;
}

void WriteTableCsv(const RecipePlan& plan, const PieceSink& write, const StopCheck& stop_check) {
  const std::vector<std::string> scenes = SceneNames(plan);
  write(TableHeader());
  ForEachLayer(plan, stop_check,
               [&](size_t place, size_t query, size_t layer, const LayerValues& values) {
                 const RecipePart& part = plan.part_of(place);
                 TableFrame line;
                 line.scene = scenes[place];
                 line.definition = AttentionName(plan);
                 line.query = FormatSpot(plan.recipe.queries[query]);
                 line.layer = part.layers[layer];
                 line.special_tokens = part.special_tokens;
                 line.cols = part.cols;
                 const std::vector<PictureSource>& sources = part.source.described.frames.sources;
                 for (size_t h = 0; h < part.heads.size(); ++h) {
                   line.head = HeadWord(plan, part.heads[h]);
                   for (const int frame : part.frames[query]) {
                     CheckStop(stop_check);
                     line.frame = frame;
                     line.source = sources.empty() ? nullptr : &sources[static_cast<size_t>(frame)];
                     write(TableLines(line, values.Tokens(static_cast<int64_t>(h), frame)));
                   }
                 }
               });
}

Shape TableShape(const RecipePlan& plan) {
  const auto shape_of = [&](const RecipePart& part) -> Shape {
    return {std::ssize(part.layers), std::ssize(part.heads), std::ssize(part.frames.front()),
            part.rows, part.cols};
  };
  Shape shape = shape_of(plan.parts.front());
  if (plan.parts.size() == 2 && shape_of(plan.parts[1]) != shape) {
    throw RequestError(RequestError::Kind::kMalformed, "other",
                       fmt::format("the maps of {} and {} do not fit one array, because their "
                                   "layers, heads, frames or grids differ in number",
                                   plan.parts[0].source.name, plan.parts[1].source.name),
                       "Save each by itself, or both as CSV.");
  }
  if (plan.recipe.queries.size() > 1) shape.insert(shape.begin(), std::ssize(plan.recipe.queries));
  if (plan.parts.size() > 1) shape.insert(shape.begin(), static_cast<int64_t>(plan.shown()));
  return shape;
}

double TableLineCount(const RecipePlan& plan) {
  double lines = 0;
  for (size_t i = 0; i < plan.shown(); ++i) {
    const RecipePart& part = plan.part_of(i);
    const double of_frame = static_cast<double>(part.special_tokens.size()) +
                            static_cast<double>(part.rows) * static_cast<double>(part.cols);
    for (const std::vector<int>& frames : part.frames) {
      lines +=
          static_cast<double>(part.layers.size() * part.heads.size() * frames.size()) * of_frame;
    }
  }
  return lines;
}

void WriteTableNpy(const RecipePlan& plan, const PieceSink& write, const StopCheck& stop_check) {
  write(NpyHeader("<f4", TableShape(plan)));
  ForEachLayer(plan, stop_check,
               [&](size_t place, size_t query, size_t, const LayerValues& values) {
                 for (int64_t h = 0; h < values.heads; ++h) {
                   for (const int frame : plan.part_of(place).frames[query]) {
                     const std::span<const float> map = values.Patches(h, frame);
                     write({reinterpret_cast<const char*>(map.data()), map.size_bytes()});
                   }
                 }
               });
}

}  // namespace vggt
