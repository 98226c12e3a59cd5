// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "attention/attention_rows.h"
#include "attention/request_words.h"
#include "attention/softmax_groups.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/query_recipe.h"
#include "cli/row_table.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/file.h"
#include "figure/recipe_file.h"
#include "formats/npy.h"
#include "image/codec.h"
#include "image/png_codec.h"
#include "ops/quantile.h"
#include "render/overlay.h"
#include "store/export/export_reader.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr int kTileWidth = 390, kTileGap = 6;
// Of a figure: as much as picture viewers show.
constexpr int64_t kMostPixels = 64'000'000;

// As on the command line; empty: not given.
struct QueryFlags {
  std::string path, output;
  std::string layer, head, block, definition, rope;
  std::string frame, row, col, token, frames;
  bool incoming = false, labels = false, overwrite = false;
};

RequestWords ToWords(const QueryFlags& o) {
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  };
  RequestWords words;
  words.definition = given(o.definition);
  words.rope = given(o.rope);
  words.block = given(o.block);
  words.layers = given(o.layer);
  words.heads = given(o.head == "max" ? "all" : o.head);
  if (o.head == "max") words.reduce = "max";
  words.frame = given(o.frame);
  words.frames = given(o.frames);
  const bool several = (o.row + o.col).find('-') != std::string::npos;
  (several ? words.rows : words.row) = given(o.row);
  (several ? words.cols : words.col) = given(o.col);
  words.token = given(o.token);
  if (o.incoming) words.incoming = "1";
  return words;
}

// The flag that a field of the request was given by.
std::string FlagOf(const std::string& field) {
  if (field == "layers") return "--layer";
  if (field == "heads" || field == "reduce") return "--head";
  if (field == "rows") return "--row";
  if (field == "cols") return "--col";
  return "--" + field;
}

AttentionRequest Parse(const QueryFlags& options, const QkDescription& d) {
  try {
    return ParseRequest(ToWords(options), d);
  } catch (const RequestError& error) {
    if (error.kind() == RequestError::Kind::kPlace) {
      throw WrongUsage(error.problem(), "", "Give --row and --col, or --token.");
    }
    const std::string more =
        error.field() == "block" ? " 'export --capture' chooses what is recorded." : "";
    throw WrongUsage(error.problem(), FlagOf(error.field()), error.hint() + more);
  }
}

// Where answers go, one for each layer.
class Output {
 public:
  virtual ~Output() = default;
  virtual void Add(const AttentionRequest& request, const AttentionAnswer& answer) = 0;
  // After all of them.
  virtual void Finish() = 0;
};

class NpyOutput : public Output {
 public:
  NpyOutput(const std::string& path, AtomicOptions options, const AttentionRequest& request,
            const QkDescription& d, const QkBlocks& blocks)
      : file_(path, options), specials_(blocks.specials()) {
    const size_t heads = request.reduction == HeadReduction::kNone ? request.heads.size() : 1;
    Write(
        NpyHeader("<f4", {static_cast<int64_t>(request.layers.size()), static_cast<int64_t>(heads),
                          static_cast<int64_t>(request.frames.size()), d.H_p, d.W_p}));
  }
  void Add(const AttentionRequest&, const AttentionAnswer& answer) override {
    const int64_t per_frame = answer.shape[3];
    const float* end = answer.values.data() + NumElements(answer.shape);
    for (const float* frame = answer.values.data(); frame < end; frame += per_frame) {
      file_.Write({reinterpret_cast<const uint8_t*>(frame + specials_),
                   static_cast<size_t>(per_frame - specials_) * sizeof(float)});
    }
  }
  void Finish() override { file_.Commit(); }

 private:
  void Write(const std::string& text) { file_.Write(BytesOf(text)); }

  AtomicFile file_;
  const int64_t specials_;
};

class CsvOutput : public Output {
 public:
  CsvOutput(const std::string& path, AtomicOptions options, const Export& e, const QkDescription& d,
            const QkBlocks& blocks)
      : file_(path, options), scene_(SceneName(e)), d_(d), blocks_(blocks) {
    Write(TableHeader());
  }
  void Add(const AttentionRequest& request, const AttentionAnswer& answer) override {
    WriteRowsCsv(request, scene_, d_, blocks_, answer,
                 [this](std::string_view text) { Write(text); });
  }
  void Finish() override { file_.Commit(); }

 private:
  void Write(std::string_view text) {
    ThrowIfInterrupted();
    file_.Write({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }

  AtomicFile file_;
  const std::string scene_;
  const QkDescription& d_;
  const QkBlocks& blocks_;
};

// A figure: a row of frames for each layer and head.
class FigureOutput : public Output {
 public:
  // Throws Error if the figure would be too large.
  FigureOutput(const std::string& path, AtomicOptions options, const Export& e,
               const AttentionRequest& request, const QkDescription& d, const QkBlocks& blocks)
      : path_(path),
        options_(options),
        frames_(e.frames),
        d_(d),
        specials_(blocks.specials()),
        attends_(blocks.attends) {
    int64_t row_height = 0;
    for (const int frame : request.frames) {
      ThrowIfInterrupted();
      originals_.push_back(ReadPicture(e.ImagePath(static_cast<size_t>(frame))));
      const Picture& picture = originals_.back();
      row_height =
          std::max(row_height, int64_t{kTileWidth} * picture.height / picture.width + 1 + kTileGap);
    }
    const size_t heads = request.reduction == HeadReduction::kNone ? request.heads.size() : 1;
    const auto rows = static_cast<int64_t>(request.layers.size() * heads);
    const int64_t width = std::ssize(request.frames) * (kTileWidth + kTileGap) + kTileGap;
    const int64_t height = rows * row_height + kTileGap;
    if (width * height > kMostPixels) {
      throw Error(fmt::format("a figure of {} × {} pixels, {} rows of {} pictures, is too large",
                              width, height, rows, request.frames.size()),
                  path,
                  "Ask for fewer layers, heads (their mean is one row each) or --frames; .npy and "
                  ".csv have no limit.");
    }
  }
  void Add(const AttentionRequest& request, const AttentionAnswer& answer) override {
    const int64_t of_head = NumElements(answer.shape) / answer.shape[1];
    for (int64_t h = 0; h < answer.shape[1]; ++h) {
      AddRow(request, answer.values.data() + h * of_head, answer.shape[3]);
    }
  }
  void Finish() override {
    const Picture figure = Mosaic(tiles_, static_cast<int>(originals_.size()), kTileGap);
    ThrowIfInterrupted();
    WritePng(path_, figure.width, figure.height, figure.rgb, options_);
  }

 private:
  // `row` [frames, per_frame]
  void AddRow(const AttentionRequest& request, const float* row, int64_t per_frame) {
    const size_t patches = static_cast<size_t>(per_frame - specials_);
    row += specials_;
    OverlayMap map;
    map.rows = d_.H_p;
    map.columns = d_.W_p;
    // As in the classic maps, the largest hundredth has the last colour. Frames that are not
    // attended to do not count.
    std::vector<float> values;
    const FrameRange met = AttendedFrames(attends_, request.frame, d_.frames, request.incoming);
    for (size_t f = 0; f < request.frames.size(); ++f) {
      if (request.frames[f] < met.first || request.frames[f] >= met.last) continue;
      const float* frame = row + static_cast<int64_t>(f) * per_frame;
      values.insert(values.end(), frame, frame + patches);
    }
    const int64_t count = std::ssize(values);
    const auto quantile = [&](double q) {
      return count == 0 ? 0.0F : static_cast<float>(Quantile({values.data(), 1, count, count}, q));
    };
    map.last = quantile(0.99);
    map.first = InfoOf(request.definition).is_signed ? quantile(0) : 0.0F;
    for (size_t f = 0; f < request.frames.size(); ++f) {
      ThrowIfInterrupted();
      map.values = {row + static_cast<int64_t>(f) * per_frame, patches};
      map.outlined.clear();
      if (request.frames[f] == request.frame) {
        for (const int64_t token : request.tokens) map.outlined.push_back(token - specials_);
      }
      std::optional<FrameTransform> transform;
      if (!frames_.transforms.empty()) {
        transform = frames_.transforms[static_cast<size_t>(request.frames[f])];
      }
      tiles_.push_back(OverlayTile(originals_[f], transform, map, kTileWidth));
    }
  }

  const std::string path_;
  const AtomicOptions options_;
  const FrameList& frames_;
  const QkDescription& d_;
  const int64_t specials_;
  const Attends attends_;
  std::vector<Picture> originals_, tiles_;
};

// Without a file: what is said about each answer, said at the end.
class SummaryOutput : public Output {
 public:
  SummaryOutput(const AttentionRequest& request, const QkDescription& d, const QkBlocks& blocks)
      : d_(d), blocks_(blocks), text_(SummaryHeader(request)) {}
  void Add(const AttentionRequest& request, const AttentionAnswer& answer) override {
    text_ += RowsSummary(request, d_, blocks_, answer);
  }
  void Finish() override {}
  const std::string& text() const { return text_; }

 private:
  const QkDescription& d_;
  const QkBlocks& blocks_;
  std::string text_;
};

// Whether the output is a figure as the page saves it: of a PNG only if labels are asked for.
bool IsLabelled(const QueryFlags& options) {
  const std::optional<FigureFormat> format = FigureFormatNamed(ExtensionOf(options.output));
  if (options.labels && !format) {
    throw WrongUsage("is for figures", "--labels", "Give a .png, .svg or .pdf file to --output.");
  }
  return format && (options.labels || *format != FigureFormat::kPng);
}

void WriteLabelled(const QueryFlags& options, const AttentionRequest& request,
                   const QkDescription& d) {
  const RecipeExport drawn(options.path);
  try {
    const RecipePlan plan = PlanRecipe(RecipeOf(request, d, options.path), drawn.source());
    WriteRecipeFile(plan, options.output,
                    {.existing = options.overwrite ? Existing::kReplace : Existing::kRefuse},
                    "vggt-attn " VGGT_VERSION, ThrowIfInterrupted);
  } catch (const RequestError& error) {
    // Its hints are about recipes.
    throw Error(error.problem(), options.path,
                "Ask for fewer --frames, or for one --layer or --head instead of all.");
  }
}

std::unique_ptr<Output> OpenOutput(const QueryFlags& options, const Export& e,
                                   const AttentionRequest& request, const QkDescription& d,
                                   const QkBlocks& blocks) {
  const std::string& path = options.output;
  const AtomicOptions replacing = {.existing =
                                       options.overwrite ? Existing::kReplace : Existing::kRefuse};
  const std::string kind = ExtensionOf(path);
  if (kind == "npy") return std::make_unique<NpyOutput>(path, replacing, request, d, blocks);
  if (kind == "csv") return std::make_unique<CsvOutput>(path, replacing, e, d, blocks);
  return std::make_unique<FigureOutput>(path, replacing, e, request, d, blocks);
}

std::string OutputName(const std::string& path) {
  const std::string kind = ExtensionOf(path);
  if (kind == "npy" || kind == "csv" || FigureFormatNamed(kind)) return "";
  return fmt::format("'{}' ends in none of .npy, .csv, .png, .svg, .pdf", Printable(path));
}

void CheckOutput(const QueryFlags& options) {
  if (options.output.empty()) return;
  std::error_code ignored;
  if (!options.overwrite && fs::exists(options.output, ignored)) {
    throw Error("exists already", options.output, "Use --overwrite to replace it.");
  }
}

void PrintDefinition(const AttentionRequest& request) {
  const DefinitionInfo& info = InfoOf(request.definition);
  fmt::print("definition {}, {} RoPE{}: {}\n", info.name, request.before_rope ? "before" : "after",
             request.incoming ? ", incoming" : "", info.text);
}

int RunQuery(const QueryFlags& options) {
  CatchInterrupts();
  const bool labelled = IsLabelled(options);
  CheckOutput(options);
  NoteRecovery(options.path);
  const Export e = OpenExport(options.path);
  if (e.store && !e.store->error.empty()) throw Error(e.store->error);
  if (!e.store) {
    throw Error("holds no queries and keys to compute attention from", options.path,
                "Export with --save_qk to have them.");
  }
  AttentionRows rows(e.store->file, {}, 0);  // each layer's normalisers are needed once
  const QkDescription& d = rows.store().description();
  const AttentionRequest request = Parse(options, d);
  const QkBlocks& blocks = *d.Find(request.kind);

  if (labelled) {
    WriteLabelled(options, request, d);
    PrintDefinition(request);
    fmt::print("wrote {}\n", PrintableText(options.output));
    return 0;
  }

  // A layer at a time: of fifty pictures all layers and heads are 70 MB for a row.
  SummaryOutput summary(request, d, blocks);
  const std::unique_ptr<Output> file =
      options.output.empty() ? nullptr : OpenOutput(options, e, request, d, blocks);
  Output& output = file ? *file : summary;
  std::vector<double> dropped;
  AttentionRequest one = request;
  for (const size_t layer : request.layers) {
    one.layers = {layer};
    const AttentionAnswer answer = rows.Answer(one, ThrowIfInterrupted);
    output.Add(one, answer);
    dropped.insert(dropped.end(), answer.dropped.begin(), answer.dropped.end());
  }
  output.Finish();

  PrintDefinition(request);
  if (!dropped.empty()) {
    double mean = 0;
    for (const double share : dropped) mean += share;
    fmt::print("dropped: {:.3g} of the model's attention, on special tokens (mean)\n",
               mean / static_cast<double>(dropped.size()));
  }
  if (!file) {
    fmt::print("\n{}", summary.text());
  } else {
    const auto counted = [](size_t count, const char* noun) {
      return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
    };
    const size_t heads = request.reduction == HeadReduction::kNone ? request.heads.size() : 1;
    fmt::print("wrote {}: {}, {} of {} each\n", PrintableText(options.output),
               counted(request.layers.size(), "layer"), counted(heads, "map"),
               counted(request.frames.size(), "frame"));
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
  std::vector<std::string> definitions;
  for (const DefinitionInfo& info : Definitions()) definitions.emplace_back(info.name);
  add("--definition", options->definition,
      fmt::format("{} [{}]", fmt::join(definitions, ", "), definitions.front()).c_str(), "NAME")
      ->check(OneOf(definitions));
  add("--rope", options->rope, "after or before the rotary embedding [after]", "WHEN")
      ->check(OneOf({"after", "before"}));
  add("--block", options->block, "global, frame or encoder [the first that is stored]", "KIND")
      ->check(OneOf({"global", "frame", "encoder"}));
  add("--frames", options->frames, "pictures to answer, such as 0,2 [all]", "LIST");
  add("-o,--output", options->output,
      "file to write: .npy [layers, heads, frames, rows, columns],\n"
      ".csv, .png, .svg or .pdf; without it a summary is printed",
      "FILE")
      ->check(OutputName);
  app.add_flag("--labels", options->labels,
               "a .png with the query's place, colour bar and labels,\n"
               "as .svg and .pdf have it");
  app.add_flag("--overwrite", options->overwrite, "replace an existing file");
  app.footer(
      "Examples:\n"
      "  vggt-attn query attn_first2all_demo --layer 6 --row 10 --col 20\n"
      "  vggt-attn query attn_first2all_demo --layer all --head 3 --frame 2 --token camera -o "
      "rows.npy\n"
      "Several patches are answered by their mean. Definitions: docs/http-api.md.");
  return [options] { return RunQuery(*options); };
}

}  // namespace vggt
