// SPDX-License-Identifier: Apache-2.0
#include "cli/export_pipeline.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "backend/cpu/bf16_support.h"
#include "capture/heatmap_recorder.h"
#include "capture/layer_list.h"
#include "capture/qk_capture.h"
#include "cli/interrupt.h"
#include "cli/kept_pictures.h"
#include "cli/picture_notes.h"
#include "cli/recovery.h"
#include "cli/video_input.h"
#include "cli/weights_key.h"
#include "core/error.h"
#include "core/memory_limit.h"
#include "core/staged_directory.h"
#include "image/frames.h"
#include "image/png_codec.h"
#include "image/preprocess.h"
#include "model/checkpoint_report.h"
#include "model/flops.h"
#include "model/memory.h"
#include "store/common/export_folder.h"
#include "store/export/export_files.h"
#include "store/maps/map_writer.h"
#include "store/qk/qk_writer.h"
#include "weights/bundled_model.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

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

std::string BlockOfText(BlockId block, const ModelPlan& model) {
  const bool encoder = block.kind == BlockKind::kEncoder;
  return fmt::format("{} {} of {}", encoder ? "encoder block" : "layer", block.index + 1,
                     model.count(encoder ? BlockKind::kEncoder : BlockKind::kGlobal));
}

// What the model is given, and how the export keeps it.
struct ExportPictures {
  PreprocessedFrames frames;
  std::vector<std::string> names;  // of the copies, as seen from attn_maps/
  std::vector<PictureSource> sources;
};

LayerMetadata CommonMetadata(const ExportOptions& options, const ExportPictures& pictures,
                             const TokenGrid& grid, const MapPlan& plan) {
  const PreprocessedFrames& frames = pictures.frames;
  LayerMetadata metadata;
  metadata.S = frames.frames;
  metadata.H_p = grid.height;
  metadata.W_p = grid.width;
  metadata.stride_h = options.stride_h;
  metadata.stride_w = options.stride_w;
  metadata.H_ds = plan.map_height;
  metadata.W_ds = plan.map_width;
  metadata.image_paths = pictures.names;
  for (const FrameTransform& t : frames.transforms) {
    metadata.image_sizes.push_back({t.original_width, t.original_height});
  }
  metadata.transforms = frames.transforms;
  metadata.sources = pictures.sources;
  return metadata;
}

Provenance MakeProvenance(const Checkpoint& checkpoint, const ModelPlan& model,
                          const PreprocessedFrames& frames, Precision precision) {
  return {.generator = "vggt-attn " VGGT_VERSION,
          .weights = checkpoint.name(),
          .family = model.family,
          .model_text = model.text,
          .depth = model.count(BlockKind::kGlobal),
          .dim = model.dim(),
          .num_heads = model.first(BlockKind::kGlobal)->heads,
          .precision = std::string(PrecisionName(precision)),
          .image_width = frames.width,
          .image_height = frames.height};
}

SelectedFrames SelectPictures(const ExportOptions& options, const fs::path& folder,
                              ProgressDisplay& display) {
  const bool natural = options.sort == "natural";
  SelectedFrames selection =
      SelectFrames({.dir = folder,
                    .extension = options.image_extension,
                    .num_images = options.num_images,
                    .first_image = options.first_image_idx,
                    .order = natural ? PictureOrder::kNatural : PictureOrder::kName});
  if (selection.in_folder < static_cast<size_t>(options.num_images)) {
    display.Note(
        fmt::format("the folder holds {} picture{}, fewer than the {} asked for: taking all",
                    selection.in_folder, selection.in_folder == 1 ? "" : "s", options.num_images));
  } else if (selection.in_folder > selection.paths.size()) {
    display.Note(fmt::format("taking {} of {} pictures, evenly spaced (--num_images)",
                             selection.paths.size(), selection.in_folder));
  }
  for (const std::string& note :
       {LeftOutNote(selection.left_out), OrderNote(selection.difference)}) {
    if (!note.empty()) display.Note(note);
  }
  return selection;
}

// Where the pictures come from.
struct ExportInput {
  fs::path place;                   // a folder, or a video
  SelectedFrames selection;         // of the folder
  std::optional<VideoInput> video;  // instead
};

ExportInput ChooseInput(const ExportOptions& options, ProgressDisplay& display) {
  ExportInput input;
  if (options.video.empty()) {
    input.place = FindImageDir(options);
    input.selection = SelectPictures(options, input.place, display);
  } else {
    input.place = options.video;
    input.video.emplace(options.video, options.video_choice, options.first_image_idx, display);
  }
  return input;
}

ExportPictures ReadPictures(const SelectedFrames& selection, const fs::path& folder,
                            const ExportOptions& options, ProgressDisplay& display) {
  ExportPictures pictures;
  display.Begin("reading pictures");
  pictures.frames = Preprocess(selection.paths, {.target = static_cast<int>(options.image_size),
                                                 .exif_transpose = options.exif_transpose});
  const std::string rotations = RotationNote(pictures.frames.orientations);
  if (!options.exif_transpose && !rotations.empty()) display.Note(rotations);
  const KeptPictures kept = PlanKeptPictures(selection.paths);
  KeepPictures(folder, selection.paths, kept);
  pictures.names = kept.names;
  for (const fs::path& path : selection.paths) {
    pictures.sources.push_back({Printable(path.filename().string(), kMostFileName), {}});
  }
  return pictures;
}

// The frames are kept below `folder` as they are decoded, each without loss.
ExportPictures ReadFrames(VideoInput& video, const fs::path& folder, const ExportOptions& options,
                          ProgressDisplay& display) {
  display.Begin("reading frames");
  // Their names say the order of the model, which is known when all are decoded.
  const auto by_time = [](size_t i) { return fmt::format("../images/by_time_{}.png", i); };
  VideoInput::Frames read = video.Read(
      {.target = static_cast<int>(options.image_size)}, display,
      [&](size_t i, const Picture& picture) {
        WriteImage(folder, by_time(i),
                   EncodePng(picture.width, picture.height, picture.rgb, video.file().string()));
      });
  ExportPictures pictures = {
      std::move(read.frames),
      ImageNames(std::vector<std::string>(read.order.size(), ".png")),
      std::move(read.sources),
  };
  const fs::path maps = folder / "attn_maps";  // what the names are relative to
  for (size_t i = 0; i < read.order.size(); ++i) {
    std::error_code failed;
    fs::rename((maps / by_time(read.order[i])).lexically_normal(),
               (maps / pictures.names[i]).lexically_normal(), failed);
    if (failed) ThrowSystemError(failed.value(), "cannot rename", pictures.names[i]);
  }
  return pictures;
}

// Which files of the output may go when it is replaced.
std::set<fs::path> FilesToReplace(const fs::path& output) {
  try {
    return ListExportFiles(output);
  } catch (const Error& error) {
    throw Error(error.problem() + "; it is not replaced", error.where(),
                "Move it away, or choose another --output_dir_prefix or --image_set_name.");
  }
}

// Without --overwrite nothing may stand there.
void CheckFree(const fs::path& output) {
  std::error_code unknown;
  if (!fs::exists(fs::symlink_status(output, unknown))) return;
  const char* choose = "Choose another --image_set_name or --output_dir_prefix.";
  try {
    ListExportFiles(output);
  } catch (const Error&) {
    throw Error("exists already, and is no export", output.string(), choose);
  }
  throw Error("exists already", output.string(),
              "Use --overwrite to replace it, or choose another --image_set_name or "
              "--output_dir_prefix.");
}

// What can be known before anything is computed: that the output may be replaced, and does not
// hold the pictures that are read.
void CheckReplaceable(const fs::path& output, const fs::path& pictures) {
  std::error_code ignored;
  if (!fs::is_directory(output, ignored)) return;
  FilesToReplace(output);
  const fs::path replaced = fs::canonical(output, ignored), read = fs::canonical(pictures, ignored);
  if (std::mismatch(replaced.begin(), replaced.end(), read.begin(), read.end()).first ==
      replaced.end()) {
    throw Error("holds the pictures that are read; it is not replaced", output.string(),
                "Choose another --output_dir_prefix or --image_set_name.");
  }
}

// What stood in the replaced export and is nobody's but the user's.
std::string KeptText(const fs::path& output, const std::vector<fs::path>& kept) {
  constexpr size_t kMostNamed = 5;
  std::string names;
  for (size_t i = 0; i < std::min(kept.size(), kMostNamed); ++i) {
    names += (i == 0 ? "" : ", ") + PrintableText(kept[i].string());
  }
  if (kept.size() > kMostNamed) names += fmt::format(" and {} more", kept.size() - kMostNamed);
  return fmt::format("kept in {}, as no export wrote it: {}", PrintableText(output.string()),
                     names);
}

// Refused before it is computed rather than ended by the kernel in the middle. `model`,
// `recorded`: bytes of weights and activations, and of what is recorded at a time.
void CheckMemory(double model, double recorded) {
  const auto limit = static_cast<double>(MemoryLimit());
  if (model + recorded <= limit) return;
  throw Error(fmt::format("this takes {} of memory ({} for weights and activations, {} for what is "
                          "recorded at a time); this process may use {} of memory",
                          HumanBytes(model + recorded), HumanBytes(model), HumanBytes(recorded),
                          HumanBytes(limit)),
              "", kTakeLessMemory);
}

QkDescription DescribeStore(const std::string& image_set_name, const LayerMetadata& metadata,
                            std::vector<QkBlocks> blocks) {
  return {.image_set_name = image_set_name,
          .frames = metadata.S,
          .H_p = metadata.H_p,
          .W_p = metadata.W_p,
          .image_paths = metadata.image_paths,
          .image_sizes = metadata.image_sizes,
          .transforms = metadata.transforms,
          .sources = metadata.sources,
          .provenance = *metadata.provenance,
          .blocks = std::move(blocks)};
}

// What is written while the model runs: maps, queries and keys, or both.
class Recording {
 public:
  void AddMaps(const fs::path& folder, const ExportOptions& options, const LayerMetadata& metadata,
               const MapPlan& plan, const MapExtents& extents, const std::vector<bool>& layers) {
    map_writer_.emplace(folder, options.image_set_name, metadata, !options.no_compress);
    maps_.emplace(plan, extents, options.save_per_head, layers, *map_writer_);
    observers_.push_back(&*maps_);
  }

  void AddStore(const fs::path& folder, QkDescription description, WantedBlocks wanted) {
    qk_writer_.emplace(folder, std::move(description));
    qk_.emplace(std::move(wanted), *qk_writer_);
    observers_.push_back(&*qk_);
  }

  ObserverGroup observer() const { return ObserverGroup(observers_); }

  // Waits for the threads and ends the files.
  void Finish(ExportReport& report) {
    if (qk_) {
      qk_->Finish();
      report.qk_bytes = qk_writer_->Finish();
      report.seconds.write += qk_->busy_seconds();
    }
    if (maps_) {
      map_writer_->Finish();
      report.seconds.write += maps_->busy_seconds();
    }
  }

 private:
  std::optional<ExportWriter> map_writer_;
  std::optional<QkWriter> qk_writer_;
  std::optional<HeatmapRecorder> maps_;
  std::optional<QkRecorder> qk_;
  std::vector<AttentionObserver*> observers_;
};

// From the pictures to all files below `folder`.
ExportReport ExportTo(const fs::path& folder, const ExportOptions& options, ExportInput& input,
                      ProgressDisplay& display) {
  ExportReport report;
  report.precision = ChoosePrecision(options.precision, display);
  const Checkpoint checkpoint = OpenWeights(options, display);
  const ModelPlan model =
      WithWeightsKeyHint([&] { return ReadModelPlan(checkpoint, options.weights_key); });
  const std::vector<bool> layers = ParseLayerList(options.layers, model.count(BlockKind::kGlobal));
  const std::vector<BlockKind> kinds =
      options.save_qk ? ParseCapture(options.capture) : std::vector<BlockKind>{};
  const WantedBlocks wanted = ChooseBlocks(kinds, model, layers);
  // Nothing beyond the last block that is recorded is loaded or computed.
  const ModelPlan needed = TruncatePlan(model, [&](BlockId block) {
    const bool mapped = !options.no_heatmaps && block.kind == BlockKind::kGlobal;
    return (mapped && layers[block.index]) || wanted.Has(block);
  });

  auto start = std::chrono::steady_clock::now();
  const ExportPictures pictures = input.video
                                      ? ReadFrames(*input.video, folder, options, display)
                                      : ReadPictures(input.selection, folder, options, display);
  const PreprocessedFrames& frames = pictures.frames;
  report.seconds.pictures = SecondsSince(start);
  const FrameBatch batch{frames.frames, frames.height, frames.width, frames.rgb.data()};
  const TokenGrid grid = model.grid(batch);
  const MapPlan plan = MakeMapPlan(grid, options.stride_h, options.stride_w);
  const MapExtents extents = plan.extents(model.first(BlockKind::kGlobal)->heads, batch.count);
  LayerMetadata metadata = CommonMetadata(options, pictures, grid, plan);
  metadata.provenance = MakeProvenance(checkpoint, model, frames, report.precision);
  metadata.provenance->weights_key = options.weights_key;
  const QkDescription store =
      DescribeStore(options.image_set_name, metadata, DescribeBlocks(kinds, model));
  // Of the store two blocks, one that is recorded and one that is written.
  CheckMemory(
      ForwardMemoryBytes(needed, batch.count, grid.height, grid.width, report.precision),
      2 * LargestBlockBytes(store) +
          (options.no_heatmaps ? 0 : HeatmapRecorder::MemoryBytes(extents, options.save_per_head)));

  display.Begin("loading weights");
  start = std::chrono::steady_clock::now();
  const ModelExecutor executor(
      LoadParameters(checkpoint, needed, report.precision, [&](double share) {
        ThrowIfInterrupted();
        display.Update(share, "");
      }));
  report.seconds.load_weights = SecondsSince(start);

  Recording recording;
  if (!options.no_heatmaps) {
    recording.AddMaps(folder, options, metadata, plan, extents, layers);
  }
  if (options.save_qk) recording.AddStore(folder, store, wanted);

  display.Begin("running the model");
  ObserverGroup observer = recording.observer();
  report.seconds.forward = executor.Forward(batch, observer, [&](const ForwardProgress& progress) {
    ThrowIfInterrupted();
    display.Update(progress.share, BlockOfText(progress.block, model));
  });
  recording.Finish(report);
  report.bytes_written = FolderBytes(folder);

  report.model = model.family + ", " + model.text;
  report.pictures = batch.count;
  report.image_width = batch.width;
  report.image_height = batch.height;
  report.grid_width = grid.width;
  report.grid_height = grid.height;
  report.layers = std::count(layers.begin(), layers.end(), true);
  report.heads = model.first(BlockKind::kGlobal)->heads;
  report.per_head = options.save_per_head;
  report.heatmaps = !options.no_heatmaps;
  for (const BlockKind kind : kinds) {
    report.qk_blocks.emplace_back(kind,
                                  kind == BlockKind::kEncoder ? model.count(kind) : report.layers);
  }
  report.flops = ForwardFlops(needed, batch.count, grid.height, grid.width);
  return report;
}

}  // namespace

ExportReport RunExport(const ExportOptions& options, ProgressDisplay& display) {
  const auto start = std::chrono::steady_clock::now();
  if (options.no_heatmaps && !options.save_qk) {
    throw Error("nothing would be written", "--no_heatmaps", "It needs --save_qk.");
  }
  ExportInput input = ChooseInput(options, display);
  const fs::path path = options.output_dir_prefix + options.image_set_name;
  const std::string recovered = RecoverExports(path);
  if (!recovered.empty()) display.Note(recovered);
  if (options.overwrite) {
    CheckReplaceable(path, input.place);
  } else {
    CheckFree(path);
  }
  StagedDirectory output(path, options.overwrite ? ListOwnFiles(FilesToReplace) : nullptr);
  try {
    ExportReport report = ExportTo(output.staging(), options, input, display);
    ThrowIfInterrupted();
    const std::vector<fs::path> kept = output.Commit();
    display.End();
    if (!kept.empty()) display.Note(KeptText(path, kept));
    report.output = path;
    report.pictures_in_folder = static_cast<int64_t>(input.video ? input.video->frames_in_video()
                                                                 : input.selection.in_folder);
    if (input.video) report.video = input.video->summary();
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
                          PrintableText(places[1].string()), PrintableText(places[2].string())));
}

}  // namespace vggt
