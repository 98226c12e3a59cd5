// SPDX-License-Identifier: Apache-2.0
#include "cli/export_pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "capture/heatmap_recorder.h"
#include "cli/bundled_model.h"
#include "cli/interrupt.h"
#include "cli/layer_list.h"
#include "core/error.h"
#include "core/staged_directory.h"
#include "image/frames.h"
#include "image/preprocess.h"
#include "model/flops.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr size_t kLongestPath = 500;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Checkpoint OpenWeights(const ExportOptions& options, ProgressDisplay& display) {
  if (!options.weights.empty()) return Checkpoint::Open(options.weights);
  display.Note("no --weights given: using the bundled demonstration model vggt-mini, not VGGT-1B");
  return Checkpoint::FromMemory(BundledModel(), kBundledModelName);
}

Precision ChoosePrecision(const std::string& wanted, ProgressDisplay& display) {
  const bool native = MultipliesBf16();
  if (wanted == "f32") return Precision::kF32;
  if (wanted == "auto") {
    display.Note(native ? "precision bf16, which this processor multiplies; --precision f32 is "
                          "slower and closer to the original model"
                        : "precision f32: this processor does not multiply bf16");
    return native ? Precision::kBf16 : Precision::kF32;
  }
  if (wanted != "bf16") {
    throw Error(fmt::format("'{}' is none of auto, bf16, f32", Printable(wanted)), "--precision");
  }
  if (!native) {
    throw Error("this processor does not multiply bf16", "--precision bf16",
                "Use --precision f32, which would be faster here than bf16.");
  }
  return Precision::kBf16;
}

int64_t LastWanted(const std::vector<bool>& layers) {
  return std::find(layers.rbegin(), layers.rend(), true).base() - layers.begin() - 1;
}

std::string StageText(const ForwardProgress& progress, const ModelConfig& config) {
  if (progress.stage == ForwardProgress::Stage::kEncoder) {
    return fmt::format("encoder block {} of {}", progress.block + 1, config.encoder_depth);
  }
  return fmt::format("layer {} of {}", progress.block + 1, config.depth);
}

LayerMetadata CommonMetadata(const ExportOptions& options, const SelectedFrames& selection,
                             const PreprocessedFrames& frames, const QueryPlan& plan) {
  LayerMetadata metadata;
  metadata.S = frames.frames;
  metadata.H_p = frames.height / kPatchSize;
  metadata.W_p = frames.width / kPatchSize;
  metadata.stride_h = options.stride_h;
  metadata.stride_w = options.stride_w;
  metadata.H_ds = plan.map_height;
  metadata.W_ds = plan.map_width;
  metadata.image_paths = ImageCopyNames(selection.paths);
  for (const FrameTransform& t : frames.transforms) {
    metadata.image_sizes.push_back({t.original_width, t.original_height});
  }
  metadata.transforms = frames.transforms;
  return metadata;
}

Provenance MakeProvenance(const Checkpoint& checkpoint, const ModelConfig& config,
                          const PreprocessedFrames& frames, Precision precision) {
  return {.generator = "vggt-attn " VGGT_VERSION,
          .weights = checkpoint.name(),
          .family = ModelFamily(config),
          .model_text = ModelText(config),
          .depth = config.depth,
          .dim = config.dim,
          .num_heads = config.heads(),
          .precision = std::string(PrecisionName(precision)),
          .image_width = frames.width,
          .image_height = frames.height};
}

SelectedFrames SelectPictures(const ExportOptions& options, const fs::path& folder,
                              ProgressDisplay& display) {
  SelectedFrames selection = SelectFrames({.dir = folder,
                                           .extension = options.image_extension,
                                           .num_images = options.num_images,
                                           .first_image = options.first_image_idx});
  if (selection.in_folder < static_cast<size_t>(options.num_images)) {
    display.Note(
        fmt::format("the folder holds {} picture{}, fewer than the {} asked for: taking all",
                    selection.in_folder, selection.in_folder == 1 ? "" : "s", options.num_images));
  }
  return selection;
}

// --overwrite must not cost anybody more than an export.
void CheckReplaceable(const fs::path& output, const fs::path& pictures) {
  std::error_code ignored;
  if (!fs::is_directory(output, ignored)) return;
  if (!LooksLikeExport(output) && !fs::is_empty(output, ignored)) {
    throw Error("is a folder that holds no export; it is not replaced", output.string(),
                "Choose another --output_dir_prefix or --image_set_name.");
  }
  const fs::path replaced = fs::canonical(output, ignored), read = fs::canonical(pictures, ignored);
  if (std::mismatch(replaced.begin(), replaced.end(), read.begin(), read.end()).first ==
      replaced.end()) {
    throw Error("holds the pictures that are read; it is not replaced", output.string(),
                "Choose another --output_dir_prefix or --image_set_name.");
  }
}

// Two layers' maps, one that is recorded and one that is written, must find room.
void CheckMemory(const MapExtents& extents, bool per_head) {
  const double values = static_cast<double>(extents.queries) *
                        static_cast<double>(per_head ? extents.heads : 1) *
                        static_cast<double>(extents.keys());
  const double needed = 2 * sizeof(float) * values;
  const double present =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (needed > present) {
    throw Error(
        fmt::format("the attention maps of two layers take {}, this machine has {} of memory",
                    HumanBytes(needed), HumanBytes(present)),
        "", kTakeLessMemory);
  }
}

// From the pictures to all files below `folder`.
ExportReport ExportTo(const fs::path& folder, const ExportOptions& options,
                      const SelectedFrames& selection, ProgressDisplay& display) {
  ExportReport report;
  report.precision = ChoosePrecision(options.precision, display);
  const Checkpoint checkpoint = OpenWeights(options, display);
  const ModelConfig config = ReadModelConfig(checkpoint);
  const std::vector<bool> layers = ParseLayerList(options.layers, config.depth);
  const int64_t last_layer = LastWanted(layers);

  display.Begin("reading pictures");
  auto start = std::chrono::steady_clock::now();
  const PreprocessedFrames frames =
      Preprocess(selection.paths, {.target = static_cast<int>(options.image_size)});
  report.seconds.pictures = SecondsSince(start);
  const FrameBatch batch{frames.frames, frames.height, frames.width, frames.rgb.data()};
  const TokenLayout layout{batch.count, config.special_tokens(), batch.grid_height(),
                           batch.grid_width()};
  const QueryPlan plan = MakeQueryPlan(layout, options.stride_h, options.stride_w);
  const MapExtents extents = plan.extents(config.heads(), batch.count);
  CheckMemory(extents, options.save_per_head);

  display.Begin("loading weights");
  start = std::chrono::steady_clock::now();
  const Aggregator aggregator(
      config, LoadParameters(checkpoint, config, last_layer, report.precision, [&](double share) {
        ThrowIfInterrupted();
        display.Update(share, "");
      }));
  report.seconds.load_weights = SecondsSince(start);

  LayerMetadata metadata = CommonMetadata(options, selection, frames, plan);
  metadata.provenance = MakeProvenance(checkpoint, config, frames, report.precision);
  ExportWriter writer(folder, options.image_set_name, metadata, !options.no_compress);
  writer.CopyImages(selection.paths);

  display.Begin("running the model");
  HeatmapRecorder recorder(
      plan, extents, options.save_per_head, layers,
      [&](int64_t layer, const LayerMaps& maps) { writer.WriteLayer(layer, maps); });
  report.seconds.forward =
      aggregator.Forward(batch, recorder, [&](const ForwardProgress& progress) {
        ThrowIfInterrupted();
        display.Update(progress.share, StageText(progress, config));
      });
  recorder.Finish();
  report.bytes_written = writer.Finish();
  report.seconds.write = recorder.busy_seconds();

  report.model = ModelFamily(config) + ", " + ModelText(config);
  report.pictures = batch.count;
  report.image_width = batch.width;
  report.image_height = batch.height;
  report.grid_width = batch.grid_width();
  report.grid_height = batch.grid_height();
  report.layers = std::count(layers.begin(), layers.end(), true);
  report.heads = config.heads();
  report.per_head = options.save_per_head;
  report.flops =
      ForwardFlops(config, batch.count, batch.grid_height(), batch.grid_width(), last_layer);
  return report;
}

}  // namespace

ExportReport RunExport(const ExportOptions& options, ProgressDisplay& display) {
  const auto start = std::chrono::steady_clock::now();
  const fs::path pictures = FindImageDir(options);
  const SelectedFrames selection = SelectPictures(options, pictures, display);
  const fs::path path = options.output_dir_prefix + options.image_set_name;
  if (options.overwrite) CheckReplaceable(path, pictures);
  StagedDirectory output(path, options.overwrite);
  try {
    ExportReport report = ExportTo(output.staging(), options, selection, display);
    ThrowIfInterrupted();
    output.Commit();
    display.End();
    report.output = path;
    report.pictures_in_folder = static_cast<int64_t>(selection.in_folder);
    report.seconds.total = SecondsSince(start);
    return report;
  } catch (const Error& error) {
    throw output.AtFinalPlace(error);
  }
}

fs::path FindImageDir(const ExportOptions& options) {
  if (!options.image_dir.empty()) return options.image_dir;
  const fs::path below = fs::path("examples") / options.image_set_name / "images";
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const fs::path places[] = {below, program.parent_path() / below,
                             program.parent_path() / "share/vggt-attn" / below};
  for (const fs::path& place : places) {
    if (fs::is_directory(place, ignored)) return place;
  }
  throw Error("no such folder", below.string(),
              fmt::format("Put the pictures there or name their folder with --image_dir. (Also "
                          "looked for {} and {}.)",
                          Printable(places[1].string(), kLongestPath),
                          Printable(places[2].string(), kLongestPath)));
}

}  // namespace vggt
