// SPDX-License-Identifier: Apache-2.0
#include "server/row_answer.h"

#include <fmt/format.h>

#include <cstring>

#include "attention/request_words.h"
#include "formats/npy.h"
#include "server/answer_form.h"
#include "server/message.h"

namespace vggt {
namespace {

// More than any processor does on one thread.
constexpr double kMostProductsASecond = 4e9;

void CheckSize(const AttentionRequest& q, const QkDescription& d) {
  const size_t maps =
      q.layers.size() * (q.reduction == HeadReduction::kNone ? q.heads.size() : size_t{1});
  const double bytes = static_cast<double>(maps * q.frames.size()) *
                       static_cast<double>(d.token_grid(*d.Find(q.kind)).tokens_per_frame()) *
                       sizeof(float);
  if (bytes > static_cast<double>(kMostAnswerBytes)) {
    throw Refusal(400,
                  fmt::format("{} of maps, at most {} MiB fit in one answer", HumanBytes(bytes),
                              kMostAnswerBytes >> 20),
                  "", "Ask for fewer layers, heads or frames at a time.");
  }
}

Shape SentShape(const AttentionRequest& request, const TokenGrid& grid,
                const AttentionAnswer& answer) {
  if (request.all_tokens) return answer.shape;
  return {answer.shape[0], answer.shape[1], answer.shape[2], grid.height, grid.width};
}

// For each layer and head a list of the frames' sums over the tokens [begin, end).
OrderedJson Sums(const AttentionAnswer& answer, int64_t begin, int64_t end) {
  OrderedJson layers = OrderedJson::array();
  const float* frame = answer.values.data();
  for (int64_t l = 0; l < answer.shape[0]; ++l) {
    OrderedJson heads = OrderedJson::array();
    for (int64_t h = 0; h < answer.shape[1]; ++h) {
      OrderedJson frames = OrderedJson::array();
      for (int64_t f = 0; f < answer.shape[2]; ++f, frame += answer.shape[3]) {
        double sum = 0;
        for (int64_t t = begin; t < end; ++t) sum += frame[t];
        frames.push_back(sum);
      }
      heads.push_back(std::move(frames));
    }
    layers.push_back(std::move(heads));
  }
  return layers;
}

OrderedJson QueryJson(const AttentionRequest& request, const QkBlocks& blocks,
                      const TokenGrid& grid) {
  OrderedJson tokens = OrderedJson::array();
  for (const int64_t token : request.tokens) {
    const int64_t patch = token - grid.special_tokens;
    if (patch < 0) {
      tokens.push_back({{"token", blocks.special_tokens[static_cast<size_t>(token)]}});
    } else {
      tokens.push_back({{"row", patch / grid.width}, {"col", patch % grid.width}});
    }
  }
  return {{"frame", request.frame}, {"tokens", std::move(tokens)}};
}

}  // namespace

AttentionRequest ParseRowRequest(const RequestParams& params, const QkDescription& description) {
  std::vector<std::string_view> known = {"export", "stats"};
  for (const RequestField& field : RequestFields()) known.emplace_back(field.name);
  CheckNames(params, known);
  RequestWords words;
  for (const RequestField& field : RequestFields()) {
    words.*field.text = ParamValue(params, field.name);
  }
  AttentionRequest request = ParseRequest(words, description);
  CheckSize(request, description);
  return request;
}

bool AsksForStats(const RequestParams& params) {
  const std::string text = ParamValue(params, "stats").value_or("0");
  if (text != "0" && text != "1") {
    throw Refusal(400, fmt::format("'{}' is neither 0 nor 1", Printable(text)), "stats");
  }
  return text == "1";
}

void CheckCost(double products, int threads) {
  const double most = kMostProductsASecond * threads * static_cast<double>(kAnswerTime.count());
  if (products > most) {
    throw Refusal(400, "this would take far too long to compute in one answer", "",
                  "Ask for fewer layers, heads or patches at a time, or use 'vggt-attn query'.");
  }
}

std::string RowsNpy(const AttentionRequest& request, const QkDescription& description,
                    const AttentionAnswer& answer) {
  const TokenGrid grid = description.token_grid(*description.Find(request.kind));
  std::string bytes = NpyHeader("<f4", SentShape(request, grid, answer));
  const int64_t per_frame = answer.shape[3];
  const int64_t skipped = request.all_tokens ? 0 : grid.special_tokens;
  const int64_t rows = NumElements(answer.shape) / per_frame;
  const size_t row_bytes = static_cast<size_t>(per_frame - skipped) * sizeof(float);
  const size_t header = bytes.size();
  bytes.resize(header + static_cast<size_t>(rows) * row_bytes);
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(bytes.data() + header + static_cast<size_t>(i) * row_bytes,
                answer.values.data() + i * per_frame + skipped, row_bytes);
  }
  if (!answer.dropped.empty()) AppendNpy(answer.dropped, {answer.shape[0], answer.shape[1]}, bytes);
  return bytes;
}

OrderedJson RowsJson(const AttentionRequest& request, const QkDescription& description,
                     const AttentionAnswer& answer) {
  constexpr const char* kReductions[] = {"none", "mean", "max"};
  const QkBlocks& blocks = *description.Find(request.kind);
  const TokenGrid grid = description.token_grid(blocks);
  OrderedJson json = {{"definition", InfoOf(request.definition).name},
                      {"definition_text", InfoOf(request.definition).text},
                      {"rope", request.before_rope ? "before" : "after"},
                      {"block", BlockKindName(request.kind)},
                      {"incoming", request.incoming}};
  json["layers"] = OrderedJson::array();
  for (const size_t place : request.layers) {
    json["layers"].push_back(blocks.layers[place].index + 1);
  }
  json["heads"] = request.heads;
  json["reduce"] = kReductions[static_cast<size_t>(request.reduction)];
  json["query"] = QueryJson(request, blocks, grid);
  json["frames"] = request.frames;
  json["shape"] = SentShape(request, grid, answer);
  if (IsProbability(request.definition)) {
    json["patch_mass"] = Sums(answer, grid.special_tokens, answer.shape[3]);
    json["special_mass"] = Sums(answer, 0, grid.special_tokens);
  }
  if (!answer.dropped.empty()) {
    json["dropped"] = PerHeadJson(answer.dropped, request.layers.size());
  }
  return json;
}

}  // namespace vggt
