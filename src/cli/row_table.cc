// SPDX-License-Identifier: Apache-2.0
#include "cli/row_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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
        body(blocks.layers[layer].index + 1, head, frame, tokens);
        tokens += answer.shape[3];
      }
    }
  }
}

// As a reader of CSV takes for one field.
std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

// "file,time" of a frame, either empty if it is not known.
std::string SourceFields(const QkDescription& description, int frame) {
  if (description.sources.empty()) return ",";
  const PictureSource& source = description.sources[static_cast<size_t>(frame)];
  return CsvField(source.file) + ',' + (source.seconds ? fmt::format("{}", *source.seconds) : "");
}

}  // namespace

void WriteCsvHeader(const TextSink& write) {
  write("layer,head,frame,file,time,token,row,col,value\n");
}

void WriteRowsCsv(const AttentionRequest& request, const QkDescription& description,
                  const QkBlocks& blocks, const AttentionAnswer& answer, const TextSink& write) {
  const int64_t specials = blocks.specials();
  ForEachFrame(
      request, blocks, answer,
      [&](int64_t layer, const std::string& head, int frame, const float* tokens) {
        std::string text;
        const std::string place =
            fmt::format("{},{},{},{}", layer, head, frame, SourceFields(description, frame));
        for (int64_t t = 0; t < answer.shape[3]; ++t) {
          const int64_t patch = t - specials;
          const std::string token =
              patch < 0
                  ? CsvField(Printable(blocks.special_tokens[static_cast<size_t>(t)])) + ",,"
                  : fmt::format("patch,{},{}", patch / description.W_p, patch % description.W_p);
          text += fmt::format("{},{},{:.9g}\n", place, token, tokens[t]);
        }
        write(text);
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
  const int64_t specials = blocks.specials();
  ForEachFrame(request, blocks, answer,
               [&](int64_t layer, const std::string& head, int frame, const float* tokens) {
                 const auto source = static_cast<size_t>(frame);
                 const std::string end_of_line =
                     description.sources.empty()
                         ? "\n"
                         : fmt::format("   {}\n", SourceText(description.sources[source]));
                 const float *patches = tokens + specials, *end = tokens + answer.shape[3];
                 const int64_t best = std::max_element(patches, end) - patches;
                 text += fmt::format("{:5}  {:>4}  {:5}", layer, head, frame);
                 if (std::isnan(*patches)) {
                   text += "   not attended to" + end_of_line;
                   return;
                 }
                 if (shares) {
                   double special_sum = 0, patch_sum = 0;
                   for (const float* t = tokens; t < patches; ++t) special_sum += *t;
                   for (const float* t = patches; t < end; ++t) patch_sum += *t;
                   text += fmt::format("  {:8.4f}  {:8.4f}", patch_sum, special_sum);
                 }
                 text += fmt::format("   {:.6g} ({}, {}){}", patches[best], best / description.W_p,
                                     best % description.W_p, end_of_line);
               });
  return text;
}

}  // namespace vggt
