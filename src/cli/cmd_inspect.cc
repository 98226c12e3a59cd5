// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "capture/capture_options.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/picture_rule.h"
#include "model/checkpoint_report.h"
#include "model/families.h"
#include "model/model_choice.h"
#include "store/export/export_reader.h"
#include "store/qk/qk_store.h"
#include "weights/bundled_model.h"

namespace vggt {
namespace {

constexpr size_t kMostModelsListed = 20;

void PrintFile(const Checkpoint& checkpoint) {
  fmt::print("{}: {}, {}\n", PrintableText(checkpoint.name()), checkpoint.format(),
             HumanBytes(static_cast<double>(checkpoint.file_bytes())));
}

// A line for each of several models.
void PrintModels(const Checkpoint& checkpoint, const std::vector<std::string>& keys) {
  PrintFile(checkpoint);
  fmt::print("  models    {}; --weights_key chooses one\n", keys.size());
  for (size_t i = 0; i < std::min(keys.size(), kMostModelsListed); ++i) {
    fmt::print("            {}: ", Printable(keys[i]));
    try {
      const CheckpointReport report = InspectCheckpoint(checkpoint, keys[i]);
      fmt::print("{}: {}, {} of {} tensors found\n", report.plan.family, report.plan.text,
                 report.found, report.wanted);
    } catch (const Error& error) {
      fmt::print("{}\n", error.problem());
    }
  }
  if (keys.size() > kMostModelsListed) {
    fmt::print("            and {} more\n", keys.size() - kMostModelsListed);
  }
}

// "layers 6, 8, 10, 12 look at all pictures, RoPE of all patches alike".
void PrintBlocks(const ModelPlan& plan, BlockKind kind) {
  std::vector<int64_t> numbers = plan.numbers(kind);
  if (numbers.empty()) return;
  for (int64_t& number : numbers) ++number;
  const BlockSpec& block = *plan.first(kind);
  fmt::print("  {:<9} {} {}, attends to {}, RoPE {}\n", BlockKindName(kind),
             numbers.size() == 1 ? "block" : "blocks", NumbersText(numbers),
             AttendsName(block.attends), RotaryName(block.rope.kind));
}

// "streamvggt": families with tensors of the same names.
std::string OtherFamilies(const CheckpointReport& report, const std::string& family) {
  std::vector<std::string> others = report.families;
  std::erase(others, family.empty() ? others.front() : family);
  return fmt::format("{}", fmt::join(others, ", "));
}

void PrintModel(const Checkpoint& checkpoint, const std::string& key, const std::string& family) {
  const CheckpointReport report = InspectCheckpoint(checkpoint, key, family);
  const ModelPlan& plan = report.plan;
  int64_t parameters = 0;
  for (const WantedTensor& tensor : PlanTensors(plan)) parameters += NumElements(tensor.shape);
  PrintFile(checkpoint);
  fmt::print("  model     {}: {}\n", plan.family, plan.text);
  if (const std::string others = OtherFamilies(report, family); !others.empty()) {
    fmt::print("            its tensors do not tell it from {}; --family chooses\n", others);
  }
  for (const BlockKind kind : kBlockKinds) PrintBlocks(plan, kind);
  fmt::print("  pictures  rule {}, patches of {} pixels\n", PictureRuleName(plan.picture_rule),
             plan.patch_size);
  fmt::print("  size      {:.1f} million parameters without prediction heads, as {}\n",
             static_cast<double>(parameters) / 1e6, fmt::join(report.dtypes, " and "));
  if (plan.prefix != "aggregator.") {
    fmt::print("  prefix    '{}' before every name\n", Printable(plan.prefix));
  }
  fmt::print("  wanted    {} tensors, {} found\n", report.wanted, report.found);
  for (const HeadReport& head : report.heads) {
    fmt::print("  head      {}: {} tensors, {}\n", head.name, head.wanted,
               head.problems.empty() ? "all found" : fmt::format("{} found", head.found));
  }
  if (report.ignored > 0) {
    fmt::print("  ignored   {} others: {}\n", report.ignored,
               fmt::join(report.ignored_groups, ", "));
  }
  for (const std::string& problem : report.problems) fmt::print("  problem   {}\n", problem);
  for (const HeadReport& head : report.heads) {
    for (const std::string& problem : head.problems) fmt::print("  problem   {}\n", problem);
  }
}

void PrintCheckpoint(const Checkpoint& checkpoint, const std::string& key,
                     const std::string& family) {
  const std::vector<std::string> keys = ModelKeys(ModelPrefixes(checkpoint));
  if (key.empty() && keys.size() > 1) {
    PrintModels(checkpoint, keys);
  } else {
    PrintModel(checkpoint, key, family);
  }
}

// "x_norm, v_norm (3 of 24 layers)": what files hold beside queries and keys.
std::string ExtrasText(const QkBlocks& blocks) {
  std::vector<std::string> texts;
  for (const QkExtra extra : kQkExtras) {
    const auto holding = std::ranges::count_if(
        blocks.layers, [extra](const QkLayer& layer) { return layer.has(extra); });
    if (holding == 0) continue;
    texts.emplace_back(QkExtraName(extra));
    if (holding == std::ssize(blocks.layers)) continue;
    texts.back() += fmt::format(" ({} of {} layers)", holding, blocks.layers.size());
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

// "special tokens camera, register_1 (after the patches in the model); of no frame: scale".
std::string TokensText(const QkBlocks& blocks) {
  std::string text;
  if (!blocks.special_tokens.empty()) {
    text = fmt::format(
        "special tokens {}{}", fmt::join(blocks.special_tokens, ", "),
        blocks.special_tokens_place == SpecialTokensPlace::kLast ? " (last in the model)" : "");
  }
  if (!blocks.scene_tokens.empty()) {
    text += fmt::format("{}of no frame {}", text.empty() ? "" : "; ",
                        fmt::join(blocks.scene_tokens, ", "));
  }
  return Printable(text, 400);
}

void PrintStore(const Export& e) {
  if (!e.store->error.empty()) {
    fmt::print("  store     cannot be read: {}\n", PrintableText(e.store->error));
    return;
  }
  const QkStore store(e.store->file, e.root);
  for (const QkBlocks& blocks : store.description().blocks) {
    uint64_t bytes = 0;
    bool whole = true;
    for (size_t i = 0; i < blocks.layers.size(); ++i) {
      std::error_code failed;
      const auto size = std::filesystem::file_size(store.LayerPath(blocks, i), failed);
      whole = whole && !failed;
      bytes += failed ? 0 : size;
    }
    fmt::print("  store     queries and keys of {} {} block{}: {} heads of {}, RoPE {}, {}\n",
               blocks.layers.size(), BlockKindName(blocks.kind),
               blocks.layers.size() == 1 ? "" : "s", blocks.heads, blocks.head_dim,
               RopeTypeName(blocks.rope.type),
               whole ? HumanBytes(static_cast<double>(bytes)) : "files are missing");
    const std::string tokens = TokensText(blocks);
    if (!tokens.empty()) fmt::print("            {}\n", tokens);
    const std::string extras = ExtrasText(blocks);
    if (!extras.empty()) fmt::print("            with {}\n", extras);
  }
}

void PrintMaps(const Export& e) {
  const LayerMetadata& m = e.maps.back().metadata;
  fmt::print("  maps      {}×{} (stride {}×{}), {}\n", m.W_ds, m.H_ds, m.stride_w, m.stride_h,
             m.per_head_data ? fmt::format("{} heads apart", m.num_heads) : "mean over heads");
  fmt::print(
      "  meaning   for each selected patch of frame 0, its softmax over those of all frames\n");
  fmt::print("  layers    {}\n", e.maps.size());
  for (const MapLayer& layer : e.maps) {
    if (!layer.described) {
      fmt::print("            {}, cannot be read: {}\n", Printable(layer.name),
                 PrintableText(layer.error));
      continue;
    }
    std::error_code failed;
    const auto bytes = std::filesystem::file_size(layer.array, failed);
    const std::string size =
        layer.error.empty() && !failed ? HumanBytes(static_cast<double>(bytes)) : "cannot be read";
    fmt::print("            {}, 99th percentile {:.6f}, {}\n", Printable(layer.name),
               layer.metadata.layer_vmax99, size);
  }
}

// "../images/frame_00.jpg 4032×3024, turned by EXIF orientation 6, from IMG_0412.JPG".
std::string FrameText(const FrameList& m, size_t frame) {
  std::string text = PrintableText(m.image_paths[frame]);
  if (!m.image_sizes.empty()) {
    text += fmt::format(" {}×{}", m.image_sizes[frame].width, m.image_sizes[frame].height);
  }
  if (!m.transforms.empty() && m.transforms[frame].orientation != 1) {
    text += fmt::format(", turned by EXIF orientation {}", m.transforms[frame].orientation);
  }
  if (!m.sources.empty()) text += ", from " + SourceText(m.sources[frame]);
  return text;
}

void PrintExport(const Export& e) {
  const FrameList& m = e.frames;
  const bool maps = !e.maps.empty();
  fmt::print("{}: {}{}\n", PrintableText(e.folder.string()),
             maps ? "attention maps" : "queries and keys",
             e.image_set_name.empty() ? "" : " of '" + Printable(e.image_set_name) + "'");
  if (e.provenance) {
    // A store that another program wrote may say less.
    const std::string& family = e.provenance->family;
    fmt::print("  model     {}{}{}\n", Printable(family), family.empty() ? "" : ": ",
               PrintableText(e.provenance->model_text));
    if (!e.provenance->weights.empty()) {
      const std::string& key = e.provenance->weights_key;
      fmt::print("  weights   {}{}\n", PrintableText(e.provenance->weights),
                 key.empty() ? "" : ", " + PrintableText(key));
    }
    fmt::print("  made by   {}, precision {}\n", Printable(e.provenance->generator),
               Printable(e.provenance->precision));
  }
  fmt::print("  frames    {}, {}×{} patches each\n", m.frames, m.W_p, m.H_p);
  for (size_t i = 0; i < m.image_paths.size(); ++i) fmt::print("            {}\n", FrameText(m, i));
  if (e.store) PrintStore(e);
  if (maps) PrintMaps(e);
}

struct InspectFlags {
  std::string path, weights_key, family;
};

int RunInspect(const InspectFlags& options) {
  const auto& [path, key, family] = options;
  if (path == "bundled") {
    PrintCheckpoint(Checkpoint::FromMemory(BundledModel(), kBundledModelName), key, family);
    return 0;
  }
  NoteRecovery(path);
  if (!LooksLikeExport(path)) {
    PrintCheckpoint(Checkpoint::Open(path), key, family);
  } else if (key.empty() && family.empty()) {
    PrintExport(OpenExport(path));
  } else {
    throw Error("is an export, which holds no model", path,
                "Leave --weights_key and --family out.");
  }
  return 0;
}

}  // namespace

std::function<int()> DeclareInspect(CLI::App& app) {
  auto options = std::make_shared<InspectFlags>();
  app.add_option("path", options->path, "a checkpoint, an export, or the word 'bundled'")
      ->check(SomeText())
      ->required();
  app.add_option("--weights_key", options->weights_key,
                 "which of several models in a checkpoint [all, a line each]")
      ->type_name("KEY")
      ->check(SomeText());
  app.add_option("--family", options->family,
                 "which of the families whose tensors have these names")
      ->type_name("NAME")
      ->check(OneOf(FamilyWords()));
  app.footer(
      "Examples:\n"
      "  vggt-attn inspect model.safetensors\n"
      "  vggt-attn inspect attn_first2all_demo");
  return [options] { return RunInspect(*options); };
}

}  // namespace vggt
