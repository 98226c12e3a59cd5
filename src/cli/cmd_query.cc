// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include "artifact/quantile.h"
#include "artifact/reader.h"
#include "cli/command.h"
#include "cli/recovery.h"
#include "cli/row_table.h"
#include "cli/value_check.h"
#include "core/error.h"
#include "image/codec.h"
#include "image/png_codec.h"
#include "render/overlay.h"
#include "server/row_answer.h"
#include "server/row_query.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr int kTileWidth = 390, kTileGap = 6;

// As on the command line; empty: not given.
struct QueryFlags {
  std::string path, output;
  std::string layer, head, reduce, block, definition = "model", rope;
  std::string frame, row, col, token, frames;
  bool incoming = false, overwrite = false;
};

// The words of the HTTP API for what the flags ask, so that both are understood by one parser.
QueryPairs ToPairs(const QueryFlags& o) {
  const bool several = (o.row + o.col).find('-') != std::string::npos;
  QueryPairs pairs = {{"definition", o.definition}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) pairs.emplace_back(name, value);
  };
  add("layers", o.layer);
  const bool reduction = o.head == "max";
  add("heads", reduction ? "all" : o.head);
  add("reduce", reduction ? o.head : "");
  add("block", o.block);
  add("rope", o.rope);
  add("frame", o.frame);
  add("frames", o.frames);
  add(several ? "rows" : "row", o.row);
  add(several ? "cols" : "col", o.col);
  add("token", o.token);
  add("incoming", o.incoming ? "1" : "");
  return pairs;
}

// A figure: a row of frames for each layer and head.
Picture Draw(const Export& e, const TokenQuery& query, const QkDescription& d,
             const QkBlocks& blocks, const AttentionAnswer& answer) {
  std::vector<Picture> originals;
  const LayerMetadata& m = e.layers.back().metadata;
  for (const int frame : query.frames) {
    originals.push_back(ReadPicture(e.ImagePath(e.layers.back(), static_cast<size_t>(frame))));
  }
  const int64_t specials = blocks.specials(), per_frame = answer.shape[3];
  const auto frames = static_cast<int64_t>(query.frames.size());
  std::vector<Picture> tiles;
  for (int64_t i = 0; i < answer.shape[0] * answer.shape[1]; ++i) {
    const float* row = answer.values.data() + i * frames * per_frame + specials;
    OverlayMap map;
    map.rows = d.H_p;
    map.columns = d.W_p;
    // As in the classic maps, the largest hundredth has the last colour. Frames that are not
    // attended to do not count.
    std::vector<float> values;
    for (int64_t f = 0; f < frames; ++f) {
      std::copy_if(row + f * per_frame, row + (f + 1) * per_frame - specials,
                   std::back_inserter(values), [](float value) { return !std::isnan(value); });
    }
    const auto count = static_cast<int64_t>(values.size());
    const auto quantile = [&](double q) {
      return count == 0 ? 0.0F : static_cast<float>(Quantile({values.data(), 1, count, count}, q));
    };
    map.last = quantile(0.99);
    map.first = IsProbability(query.definition) ? 0.0F : quantile(0);
    for (int64_t f = 0; f < frames; ++f) {
      map.values = {row + f * per_frame, static_cast<size_t>(per_frame - specials)};
      map.outlined.clear();
      if (query.frames[static_cast<size_t>(f)] == query.frame) {
        for (const int64_t token : query.tokens) map.outlined.push_back(token - specials);
      }
      const auto frame = static_cast<size_t>(query.frames[static_cast<size_t>(f)]);
      std::optional<FrameTransform> transform;
      if (!m.transforms.empty()) transform = m.transforms[frame];
      tiles.push_back(OverlayTile(originals[static_cast<size_t>(f)], transform, map, kTileWidth));
    }
  }
  return Mosaic(tiles, static_cast<int>(frames), kTileGap);
}

void Write(const QueryFlags& options, const Export& e, const RowQuery& row_query,
           const QkDescription& d, const QkBlocks& blocks, const AttentionAnswer& answer) {
  const std::string kind = fs::path(options.output).extension().string();
  if (kind == ".npy") {
    WriteFileAtomic(options.output, RowsNpy(row_query, d, answer));
  } else if (kind == ".csv") {
    WriteFileAtomic(options.output, RowsCsv(row_query.query, d, blocks, answer));
  } else {
    const Picture figure = Draw(e, row_query.query, d, blocks, answer);
    WritePng(options.output, figure.width, figure.height, figure.rgb);
  }
}

void CheckOutput(const QueryFlags& options) {
  if (options.output.empty()) return;
  const std::string kind = fs::path(options.output).extension().string();
  if (kind != ".npy" && kind != ".csv" && kind != ".png") {
    throw Error("ends in none of .npy, .csv, .png", options.output,
                "Name the kind that is wanted.");
  }
  std::error_code ignored;
  if (!options.overwrite && fs::exists(options.output, ignored)) {
    throw Error("exists already", options.output, "Use --overwrite to replace it.");
  }
}

int RunQuery(const QueryFlags& options) {
  CheckOutput(options);
  NoteRecovery(options.path);
  const Export e = OpenExport(options.path);
  if (!e.store_error.empty()) throw Error(e.store_error);
  if (e.store.empty()) {
    throw Error("holds no queries and keys to compute attention from", options.path,
                "Export with --save_qk to have them.");
  }
  AttentionRows rows(e.store);
  const QkDescription& d = rows.store().description();
  const RowQuery row_query = ParseRowQuery(ToPairs(options), d);
  const TokenQuery& query = row_query.query;
  const QkBlocks& blocks = *rows.store().description().Find(query.kind);
  const AttentionAnswer answer = rows.Answer(query);
  if (!options.output.empty()) Write(options, e, row_query, d, blocks, answer);
  const DefinitionInfo& info = InfoOf(query.definition);
  fmt::print("definition {}, {} RoPE{}: {}\n", info.name, query.before_rope ? "before" : "after",
             query.incoming ? ", incoming" : "", info.text);
  if (!answer.dropped.empty()) {
    double mean = 0;
    for (const double share : answer.dropped) mean += share;
    fmt::print("dropped: {:.3g} of the model's attention, on special tokens (mean)\n",
               mean / static_cast<double>(answer.dropped.size()));
  }
  if (options.output.empty()) {
    fmt::print("\n{}", RowsSummary(query, d, blocks, answer));
  } else {
    fmt::print("wrote {}: {} layer{}, {} map{} of {} frame{} each\n", PrintableText(options.output),
               answer.shape[0], answer.shape[0] == 1 ? "" : "s", answer.shape[1],
               answer.shape[1] == 1 ? "" : "s", answer.shape[2], answer.shape[2] == 1 ? "" : "s");
  }
  return 0;
}

}  // namespace

std::function<int()> DeclareQuery(CLI::App& app) {
  auto options = std::make_shared<QueryFlags>();
  const auto add = [&](const char* name, std::string& value, const char* text, const char* type) {
    return app.add_option(name, value, text)->type_name(type)->check(SomeText());
  };
  app.add_option("path", options->path, "an export with queries and keys (export --save_qk)")
      ->check(SomeText())
      ->required();
  add("--layer", options->layer, "layers: 12, or 3,5, or all [the last]", "LIST");
  add("--head", options->head, "heads: 3, or 3,5, or all; mean or max over all [mean]", "LIST");
  add("--frame", options->frame, "the query's picture, from 0 [0]", "N");
  add("--row", options->row, "the query's row of patches, or rows such as 3-7", "N");
  add("--col", options->col, "the query's column of patches, or columns", "N");
  add("--token", options->token, "a special token as the query, such as camera", "NAME");
  app.add_flag("--incoming", options->incoming, "who looks at the query, not where it looks");
  add("--definition", options->definition, "model, patches, frame, logits or cosine", "NAME")
      ->check(OneOf({"model", "patches", "frame", "logits", "cosine"}))
      ->capture_default_str();
  add("--rope", options->rope, "after or before the rotary embedding [after]", "WHEN")
      ->check(OneOf({"after", "before"}));
  add("--block", options->block, "global, frame or encoder [the first that is stored]", "KIND")
      ->check(OneOf({"global", "frame", "encoder"}));
  add("--frames", options->frames, "pictures to answer, such as 0,2 [all]", "LIST");
  add("-o,--output", options->output,
      "file to write: .npy [layers, heads, frames, rows, columns],\n"
      ".csv or .png; without it a summary is printed",
      "FILE");
  app.add_flag("--overwrite", options->overwrite, "replace an existing file");
  app.footer(
      "Examples:\n"
      "  vggt-attn query attn_first2all_demo --layer 6 --row 10 --col 20\n"
      "  vggt-attn query attn_first2all_demo --layer all --head 3 --frame 2 --token camera -o "
      "rows.npy\n"
      "Several patches are answered by their mean. Definitions: docs/formats.md.");
  return [options] { return RunQuery(*options); };
}

}  // namespace vggt
