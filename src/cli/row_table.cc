// SPDX-License-Identifier: Apache-2.0
#include "cli/row_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "attention/softmax_groups.h"
#include "cli/query_recipe.h"
#include "core/error.h"

namespace vggt {
namespace {

// Calls body(layer number, head's name, frame, its tokens) in the answer's order.
template <typename Body>
void ForEachFrame(const AttentionRequest& request, const QkBlocks& blocks,
                  const AttentionAnswer& answer, const Body& body) {
  const float* tokens = answer.values.data();
  for (const size_t layer : request.layers) {
    for (int64_t h = 0; h < answer.shape[1]; ++h) {
      std::string head = fmt::format("{}", request.heads[static_cast<size_t>(h)]);
      if (request.reduction == HeadReduction::kMean) head = "mean";
      if (request.reduction == HeadReduction::kMax) head = "max";
      for (const int frame : request.frames) {
        body(blocks.layers[layer].index + 1, head, frame,
             {tokens, static_cast<size_t>(answer.shape[3])});
        tokens += answer.shape[3];
      }
    }
  }
}

// What the values are, in the words of figures.
std::string DefinitionWords(const AttentionRequest& request) {
  RecipePlan plan;
  plan.definition = &InfoOf(request.definition);
  plan.recipe.block = request.kind;
  plan.recipe.before_rope = request.before_rope;
  plan.recipe.incoming = request.incoming;
  return AttentionName(plan);
}

const PictureSource* SourceOf(const QkDescription& description, int frame) {
  return description.sources.empty() ? nullptr : &description.sources[static_cast<size_t>(frame)];
}

}  // namespace

void WriteRowsCsv(const AttentionRequest& request, const std::string& scene,
                  const QkDescription& description, const QkBlocks& blocks,
                  const AttentionAnswer& answer, const PieceSink& write) {
  TableFrame line;
  line.scene = scene;
  line.definition = DefinitionWords(request);
  line.query = FormatSpot(SpotOf(request, description, blocks));
  line.special_tokens = blocks.special_tokens;
  line.cols = description.W_p;
  ForEachFrame(
      request, blocks, answer,
      [&](int64_t layer, const std::string& head, int frame, std::span<const float> tokens) {
        line.layer = layer;
        line.head = head;
        line.frame = frame;
        line.source = SourceOf(description, frame);
        write(TableLines(line, tokens));
      });
}

std::string SummaryHeader(const AttentionRequest& request) {
  return IsProbability(request.definition)
             ? "layer  head  frame   patches   special   best patch (row, col)\n"
             : "layer  head  frame   best patch (row, col)\n";
}

std::string RowsSummary(const AttentionRequest& request, const QkDescription& description,
                        const QkBlocks& blocks, const AttentionAnswer& answer) {
  const bool shares = IsProbability(request.definition);
  std::string text;
  ForEachFrame(
      request, blocks, answer,
      [&](int64_t layer, const std::string& head, int frame, std::span<const float> tokens) {
        const PictureSource* source = SourceOf(description, frame);
        const std::string end_of_line =
            source == nullptr ? "\n" : fmt::format("   {}\n", SourceText(*source));
        const auto special = tokens.first(static_cast<size_t>(blocks.specials()));
        const auto patches = tokens.subspan(special.size());
        const auto best = std::max_element(patches.begin(), patches.end());
        text += fmt::format("{:5}  {:>4}  {:5}", layer, head, frame);
        const FrameRange met =
            AttendedFrames(blocks.attends, request.frame, description.frames, request.incoming);
        if (frame < met.first || frame >= met.last) {
          text += "   not attended to" + end_of_line;
          return;
        }
        if (shares) {
          text += fmt::format("  {:>8.3g}  {:>8.3g}",
                              std::accumulate(patches.begin(), patches.end(), 0.0),
                              std::accumulate(special.begin(), special.end(), 0.0));
        }
        const int64_t place = best - patches.begin();
        text += fmt::format("   {:.3g} ({}, {}){}", *best, place / description.W_p,
                            place % description.W_p, end_of_line);
      });
  return text;
}

}  // namespace vggt
