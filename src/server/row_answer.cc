// SPDX-License-Identifier: Apache-2.0
#include "server/row_answer.h"

#include <cstring>

#include "formats/npy.h"

namespace vggt {
namespace {

int64_t SpecialsOf(const QkDescription& description, const AttentionAnswer& answer) {
  return answer.shape[3] - description.H_p * description.W_p;
}

Shape SentShape(const RowQuery& row_query, const QkDescription& description,
                const AttentionAnswer& answer) {
  if (row_query.all_tokens) return answer.shape;
  return {answer.shape[0], answer.shape[1], answer.shape[2], description.H_p, description.W_p};
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

OrderedJson PerHead(const std::vector<double>& values, int64_t heads) {
  OrderedJson layers = OrderedJson::array();
  for (size_t i = 0; i < values.size(); i += static_cast<size_t>(heads)) {
    layers.push_back(std::vector<double>(values.begin() + static_cast<int64_t>(i),
                                         values.begin() + static_cast<int64_t>(i) + heads));
  }
  return layers;
}

OrderedJson QueryJson(const TokenQuery& query, const QkDescription& description,
                      const QkBlocks& blocks) {
  OrderedJson tokens = OrderedJson::array();
  for (const int64_t token : query.tokens) {
    const int64_t patch = token - blocks.specials();
    if (patch < 0) {
      tokens.push_back({{"token", blocks.special_tokens[static_cast<size_t>(token)]}});
    } else {
      tokens.push_back({{"row", patch / description.W_p}, {"col", patch % description.W_p}});
    }
  }
  return {{"frame", query.frame}, {"tokens", std::move(tokens)}};
}

}  // namespace

std::string RowsNpy(const RowQuery& row_query, const QkDescription& description,
                    const AttentionAnswer& answer) {
  const Shape shape = SentShape(row_query, description, answer);
  std::string bytes = NpyHeader("<f4", shape);
  const int64_t per_frame = answer.shape[3];
  const int64_t skipped = row_query.all_tokens ? 0 : SpecialsOf(description, answer);
  const int64_t rows = NumElements(answer.shape) / per_frame;
  const size_t row_bytes = static_cast<size_t>(per_frame - skipped) * sizeof(float);
  const size_t header = bytes.size();
  bytes.resize(header + static_cast<size_t>(rows) * row_bytes);
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(bytes.data() + header + static_cast<size_t>(i) * row_bytes,
                answer.values.data() + i * per_frame + skipped, row_bytes);
  }
  return bytes;
}

OrderedJson RowsJson(const RowQuery& row_query, const QkDescription& description,
                     const AttentionAnswer& answer) {
  constexpr const char* kReductions[] = {"none", "mean", "max"};
  const TokenQuery& query = row_query.query;
  const QkBlocks* blocks = description.Find(query.kind);
  OrderedJson json = {{"definition", InfoOf(query.definition).name},
                      {"definition_text", InfoOf(query.definition).text},
                      {"rope", query.before_rope ? "before" : "after"},
                      {"block", BlockKindName(query.kind)},
                      {"incoming", query.incoming}};
  json["layers"] = OrderedJson::array();
  for (const size_t place : query.layers) json["layers"].push_back(blocks->layers[place].index + 1);
  json["heads"] = query.heads;
  json["reduce"] = kReductions[static_cast<size_t>(query.reduction)];
  json["query"] = QueryJson(query, description, *blocks);
  json["frames"] = query.frames;
  json["shape"] = SentShape(row_query, description, answer);
  const int64_t specials = blocks->specials();
  if (IsProbability(query.definition)) {
    json["patch_mass"] = Sums(answer, specials, answer.shape[3]);
    json["special_mass"] = Sums(answer, 0, specials);
  }
  if (!answer.dropped.empty()) json["dropped"] = PerHead(answer.dropped, answer.shape[1]);
  return json;
}

}  // namespace vggt
