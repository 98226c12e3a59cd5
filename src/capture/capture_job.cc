// SPDX-License-Identifier: Apache-2.0
#include "capture/capture_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <utility>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/model_executor.h"
#include "backend/cpu/precision_choice.h"
#include "capture/capture_input.h"
#include "capture/geometry_capture.h"
#include "capture/head_taps.h"
#include "capture/heatmap_recorder.h"
#include "capture/output_folder.h"
#include "capture/qk_capture.h"
#include "capture/recovery.h"
#include "core/memory_limit.h"
#include "geometry/geometry_folder.h"
#include "geometry/given_geometry.h"
#include "model/checkpoint_report.h"
#include "model/flops.h"
#include "model/memory.h"
#include "store/common/export_folder.h"
#include "store/maps/map_writer.h"
#include "store/qk/qk_writer.h"
#include "weights/bundled_model.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void CheckOptions(const CaptureOptions& options) {
  if (!options.heatmaps && options.capture.empty()) {
    throw OptionError("heatmaps", "nothing would be written",
                      "Export these or queries and keys (`capture`).");
  }
  if (options.geometry && !options.geometry_from.empty()) {
    throw OptionError("geometry_from", "cameras and depth are either given or predicted",
                      "Leave out `geometry` or this.");
  }
  CheckStrides(options.stride_h, options.stride_w);
}

Precision WantedOrFaster(const std::optional<Precision>& wanted, CaptureProgress& progress) {
  if (!wanted) {
    const PrecisionChoice& faster = FasterPrecision();
    const std::string choice =
        fmt::format("precision {}: {}", PrecisionName(faster.precision), faster.reason);
    if (faster.precision == Precision::kBf16) {
      progress.Note(choice + "; `precision` f32 is closer to the original model");
    } else {
      progress.Remark(choice);
    }
    return faster.precision;
  }
  if (*wanted == Precision::kF32) return Precision::kF32;
  if (!MultipliesBf16()) {
    throw OptionError("precision", "this processor does not multiply bf16",
                      "Use `precision` f32, which would be faster here than bf16.", "bf16");
  }
  if (FasterPrecision().precision == Precision::kF32) {
    progress.Note("`precision` f32 would be faster here: " + FasterPrecision().reason);
  }
  return Precision::kBf16;
}

Checkpoint OpenWeights(const fs::path& weights, CaptureProgress& progress) {
  if (!weights.empty()) return Checkpoint::Open(weights);
  progress.Note("no `weights` given: using the bundled demonstration model vggt-mini, not VGGT-1B");
  return Checkpoint::FromMemory(BundledModel(), kBundledModelName);
}

// In the order of kBlockKinds, each once.
std::vector<BlockKind> Ordered(const std::vector<BlockKind>& wanted) {
  std::vector<BlockKind> kinds;
  std::ranges::copy_if(kBlockKinds, std::back_inserter(kinds),
                       [&](BlockKind kind) { return std::ranges::count(wanted, kind) > 0; });
  return kinds;
}

// For each layer that the model counts whether it is wanted: of the global blocks, and of the frame
// blocks if these are stored.
std::vector<bool> ChooseLayers(const std::vector<int64_t>& layers, const ModelPlan& plan,
                               const std::vector<BlockKind>& kinds) {
  std::vector<int64_t> there = plan.numbers(BlockKind::kGlobal);
  if (std::ranges::count(kinds, BlockKind::kFrame) > 0) {
    const std::vector<int64_t> frame = plan.numbers(BlockKind::kFrame);
    there.insert(there.end(), frame.begin(), frame.end());
  }
  for (int64_t& layer : there) ++layer;
  std::ranges::sort(there);
  there.erase(std::unique(there.begin(), there.end()), there.end());
  std::vector<bool> wanted(plan.depth());
  for (const int64_t layer : layers.empty() ? there : layers) {
    if (!std::ranges::binary_search(there, layer)) throw LayerError(layer, there);
    wanted[layer - 1] = true;
  }
  return wanted;
}

// Of these the layers of which there are maps.
std::vector<bool> ChooseMaps(bool heatmaps, const std::vector<bool>& layers,
                             const ModelPlan& plan) {
  std::vector<bool> maps(layers.size());
  if (!heatmaps) return maps;
  const std::vector<int64_t> global = plan.numbers(BlockKind::kGlobal);
  if (global.empty()) {
    throw OptionError(
        "heatmaps", "this model looks at each picture alone, of which there are no maps",
        "Leave maps out, and keep queries and keys of its encoder (`capture` encoder).");
  }
  for (const int64_t layer : global) maps[layer] = layers[layer];
  if (std::ranges::count(maps, true) > 0) return maps;
  throw OptionError("layers", "none of these has maps, which are of global blocks",
                    "Name global blocks, too, or keep queries and keys alone.");
}

std::string BlockOfText(BlockId block, const ModelPlan& plan) {
  const bool encoder = block.kind == BlockKind::kEncoder;
  return fmt::format("{} {} of {}", encoder ? "encoder block" : "layer", block.index + 1,
                     encoder ? plan.count(BlockKind::kEncoder) : plan.depth());
}

std::optional<GeometryCapture> ChooseGeometry(const CaptureOptions& options,
                                              const Checkpoint& checkpoint, const ModelPlan& plan) {
  if (!options.geometry) return std::nullopt;
  // The original computes its heads in float32, whatever the rest is computed in.
  return std::optional<GeometryCapture>(std::in_place, *options.geometry, checkpoint, plan,
                                        options.precision.value_or(Precision::kF32));
}

// The plan with taps at these blocks: of what is stored, the output is recorded, too, and the
// prediction heads read the last block of a layer to its end.
ModelPlan Tapped(ModelPlan plan, const WantedBlocks& stored,
                 const std::optional<GeometryCapture>& geometry) {
  for (const StageSpec& stage : plan.stages) {
    for (const BlockSpec& block : stage.blocks) {
      if (stored.Has(block.id) && !plan.tapped(block.id)) plan.taps.push_back(block.id);
    }
  }
  if (!geometry) return plan;
  for (const int64_t layer : geometry->layers()) {
    const BlockId block{BlockKind::kGlobal, layer};
    if (!plan.tapped(block)) plan.taps.push_back(block);
  }
  return plan;
}

// The model of a job, and what of it is wanted. Everything that a job asks of the rooms model and
// backend is asked here.
class JobModel {
 public:
  // Opens the weights; nothing is loaded yet.
  JobModel(const CaptureOptions& options, CaptureProgress& progress)
      : precision_(WantedOrFaster(options.precision, progress)),
        precision_reason_(options.precision ? "as asked" : FasterPrecision().reason),
        checkpoint_(OpenWeights(options.weights, progress)),
        weights_key_(options.weights_key),
        plan_(ReadModelPlan(checkpoint_, weights_key_, options.family)),
        kinds_(Ordered(options.capture)),
        layers_(ChooseLayers(options.layers, plan_, kinds_)),
        maps_(ChooseMaps(options.heatmaps, layers_, plan_)),
        blocks_(ChooseBlocks(kinds_, plan_, layers_)),
        geometry_(ChooseGeometry(options, checkpoint_, plan_)),
        // Nothing beyond the last block that is recorded is loaded or computed.
        needed_(TruncatePlan(Tapped(plan_, blocks_, geometry_), [&](BlockId block) {
          return (block.kind == BlockKind::kGlobal && maps_[block.index]) || blocks_.Has(block);
        })) {}

  Precision precision() const { return precision_; }
  const std::string& precision_reason() const { return precision_reason_; }
  int64_t attention_heads() const { return plan_.stages.back().blocks.front().heads; }
  // What the queries of global blocks attend to.
  Attends attends() const {
    const BlockSpec* global = plan_.first(BlockKind::kGlobal);
    return global == nullptr ? Attends::kFrame : global->attends;
  }
  const std::vector<bool>& layers() const { return layers_; }
  const std::vector<bool>& maps() const { return maps_; }
  const WantedBlocks& blocks() const { return blocks_; }
  std::string text() const { return plan_.family + ", " + plan_.text; }
  ModelPictures pictures() const {
    return {.rule = plan_.picture_rule, .patch = static_cast<int>(plan_.patch_size)};
  }

  TokenGrid Grid(const FrameBatch& batch) const { return plan_.grid(batch); }
  // Of the pass or of the heads, which follow when its memory is given back.
  double MemoryBytes(const FrameBatch& batch) const {
    const TokenGrid grid = Grid(batch);
    const double pass =
        ForwardMemoryBytes(needed_, batch.count, grid.height, grid.width, precision_);
    return geometry_ ? std::max(pass, geometry_->MemoryBytes(grid)) : pass;
  }
  double Flops(const FrameBatch& batch) const {
    const TokenGrid grid = Grid(batch);
    return ForwardFlops(needed_, batch.count, grid.height, grid.width);
  }
  Provenance MakeProvenance(const FrameBatch& batch) const {
    return {.generator = "vggt-attn " VGGT_VERSION,
            .weights = checkpoint_.name(),
            .family = plan_.family,
            .model_text = plan_.text,
            .depth = plan_.depth(),
            .dim = plan_.dim(),
            .num_heads = attention_heads(),
            .precision = std::string(PrecisionName(precision_)),
            .image_width = batch.width,
            .image_height = batch.height,
            .weights_key = weights_key_};
  }
  const std::optional<GeometryCapture>& geometry() const { return geometry_; }
  int64_t channels() const { return plan_.dim(); }
  // What the store will say of each kind of block, without layers.
  std::vector<QkBlocks> StoredBlocks() const { return DescribeBlocks(kinds_, plan_); }
  // How many blocks of each kind are stored.
  std::vector<std::pair<BlockKind, int64_t>> StoredCounts() const {
    std::vector<std::pair<BlockKind, int64_t>> counts;
    for (const BlockKind kind : kinds_) {
      counts.emplace_back(kind, std::ranges::count_if(plan_.numbers(kind), [&](int64_t number) {
                            return blocks_.Has({kind, number});
                          }));
    }
    return counts;
  }

  void Load(const std::function<void(double share)>& progress, const StopCheck& stop_check) {
    if (geometry_) geometry_->CheckWeights(stop_check);
    executor_.emplace(LoadParameters(checkpoint_, needed_, precision_, progress));
  }
  // After Load.
  ForwardSeconds Run(const FrameBatch& batch, AttentionObserver& observer,
                     const std::function<void(double share, const std::string& where)>& progress) {
    return executor_->Forward(batch, observer, [&](const ForwardProgress& now) {
      progress(now.share, BlockOfText(now.block, plan_));
    });
  }
  // After the pass: gives the memory of the weights back.
  void Unload() { executor_.reset(); }

 private:
  Precision precision_;
  std::string precision_reason_;
  Checkpoint checkpoint_;
  std::string weights_key_;
  ModelPlan plan_;
  std::vector<BlockKind> kinds_;  // whose queries and keys are stored
  std::vector<bool> layers_;      // as the model counts them: wanted
  std::vector<bool> maps_;        // of which there are maps
  WantedBlocks blocks_;           // of these kinds
  std::optional<GeometryCapture> geometry_;
  ModelPlan needed_;  // the plan up to the last block that is recorded
  std::optional<ModelExecutor> executor_;
};

LayerMetadata CommonMetadata(const CaptureOptions& options, const CapturedPictures& pictures,
                             const TokenGrid& grid, const MapPlan& plan, Provenance provenance) {
  LayerMetadata metadata;
  metadata.frames = grid.frames;
  metadata.H_p = grid.height;
  metadata.W_p = grid.width;
  metadata.stride_h = options.stride_h;
  metadata.stride_w = options.stride_w;
  metadata.H_ds = plan.map_height;
  metadata.W_ds = plan.map_width;
  metadata.image_paths = pictures.names;
  for (const FrameTransform& t : pictures.frames.transforms) {
    metadata.image_sizes.push_back({t.original_width, t.original_height});
  }
  metadata.transforms = pictures.frames.transforms;
  metadata.sources = pictures.sources;
  metadata.provenance = std::move(provenance);
  return metadata;
}

QkDescription DescribeStore(const CaptureOptions& options, const LayerMetadata& metadata,
                            std::vector<QkBlocks> blocks) {
  const FrameList& frames = metadata;
  // The query frame was put first, the others kept their order.
  std::vector<int64_t> order(frames.frames);
  std::iota(order.begin(), order.end(), int64_t{0});
  // As in video_input.cc: some frames of a video may not have been decodable.
  const auto query = order.begin() + std::min<int64_t>(options.first_image_idx, frames.frames - 1);
  std::rotate(order.begin(), query, query + 1);
  return {frames, options.image_set_name, *metadata.provenance, std::move(blocks),
          std::move(order)};
}

// A job that needs too much is refused before anything is computed; else the kernel would end the
// process in the middle. `model`: bytes of weights and activations. `recorded`: bytes of what is
// recorded at a time.
void CheckMemory(double model, double recorded) {
  const auto limit = static_cast<double>(MemoryLimit());
  if (model + recorded <= limit) return;
  throw Error(fmt::format("this takes {} of memory ({} for weights and activations, {} for what is "
                          "recorded at a time); this process may use {} of memory",
                          HumanBytes(model + recorded), HumanBytes(model), HumanBytes(recorded),
                          HumanBytes(limit)),
              "", kTakeLessMemory);
}

// What is written while the model runs: maps, queries and keys, or both.
class Recording {
 public:
  void AddMaps(const fs::path& folder, const CaptureOptions& options, const LayerMetadata& metadata,
               const MapPlan& plan, const MapExtents& extents, const std::vector<bool>& layers) {
    map_writer_.emplace(folder, options.image_set_name, metadata, options.compress);
    maps_.emplace(plan, extents, options.save_per_head, layers, *map_writer_);
    observers_.push_back(&*maps_);
  }

  void AddStore(const fs::path& folder, QkDescription description, const WantedBlocks& wanted) {
    qk_writer_.emplace(folder, std::move(description));
    qk_.emplace(wanted, *qk_writer_);
    observers_.push_back(&*qk_);
  }

  void AddTaps(const fs::path& folder, std::vector<int64_t> layers, const TokenGrid& grid,
               int64_t channels) {
    taps_.emplace(std::move(layers), grid, channels, folder);
    observers_.push_back(&*taps_);
  }
  HeadTaps& taps() { return *taps_; }

  // What the model is shown to; valid until the next call.
  AttentionObserver& observer() {
    if (observers_.size() == 1) return *observers_.front();
    return all_.emplace(observers_);
  }

  // Waits for the threads and ends the files.
  void Finish(CaptureReport& report) {
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
  std::optional<MapWriter> map_writer_;
  std::optional<QkWriter> qk_writer_;
  std::optional<HeatmapRecorder> maps_;
  std::optional<QkRecorder> qk_;
  std::optional<HeadTaps> taps_;
  std::vector<AttentionObserver*> observers_;
  std::optional<ObserverGroup> all_;
};

}  // namespace

CaptureJob::CaptureJob(CaptureOptions options, CaptureProgress* progress, StopCheck stop_check)
    : options_(std::move(options)),
      progress_(progress == nullptr ? silent_ : *progress),
      stop_check_(std::move(stop_check)) {}

CaptureReport CaptureJob::Run() {
  const auto start = std::chrono::steady_clock::now();
  CheckOptions(options_);
  CaptureInput input(options_, progress_, stop_check_);
  const std::string recovered = RecoverExports(options_.output);
  if (!recovered.empty()) progress_.Note(recovered);
  std::vector<fs::path> read = input.places();
  if (!options_.geometry_from.empty()) read.push_back(options_.geometry_from);
  OutputFolder output(options_.output, options_.overwrite, read);
  try {
    CaptureReport report;
    WithWholePool([&] { report = ExportTo(output.staging(), input); });
    CheckStop(stop_check_);
    const std::string kept = output.Commit();
    progress_.End();
    if (!kept.empty()) progress_.Note(kept);
    report.output = options_.output;
    report.pictures_in_folder = input.available();
    report.video = input.video_summary();
    report.seconds.total = SecondsSince(start);
    return report;
  } catch (const Error& error) {
    output.Rethrow(error);
  }
}

// From the pictures to all files below `folder`.
CaptureReport CaptureJob::ExportTo(const fs::path& folder, CaptureInput& input) {
  CaptureReport report;
  JobModel model(options_, progress_);

  auto start = std::chrono::steady_clock::now();
  const CapturedPictures pictures = input.Read(folder, model.pictures());
  report.seconds.pictures = SecondsSince(start);
  const PreprocessedFrames& frames = pictures.frames;
  const FrameBatch batch{frames.frames, frames.height, frames.width, frames.rgb.data()};
  const TokenGrid grid = model.Grid(batch);
  const MapPlan plan = MakeMapPlan(grid, options_.stride_h, options_.stride_w, model.attends());
  const MapExtents extents = plan.extents(model.attention_heads(), batch.count);
  const LayerMetadata metadata =
      CommonMetadata(options_, pictures, grid, plan, model.MakeProvenance(batch));
  const QkDescription store = DescribeStore(options_, metadata, model.StoredBlocks());
  std::optional<SceneGeometry> geometry;
  if (!options_.geometry_from.empty()) {
    geometry = ReadGivenGeometry(options_.geometry_from, metadata);
  }
  // Of the store two blocks are in memory, one that is recorded and one that is written.
  CheckMemory(
      model.MemoryBytes(batch),
      2 * LargestBlockBytes(store) +
          (options_.heatmaps ? HeatmapRecorder::MemoryBytes(extents, options_.save_per_head) : 0));

  progress_.Begin("loading weights");
  start = std::chrono::steady_clock::now();
  model.Load(
      [&](double share) {
        CheckStop(stop_check_);
        progress_.Update(share, "");
      },
      stop_check_);
  report.seconds.load_weights = SecondsSince(start);

  Recording recording;
  if (options_.heatmaps) {
    recording.AddMaps(folder, options_, metadata, plan, extents, model.maps());
  }
  if (!options_.capture.empty()) recording.AddStore(folder, store, model.blocks());

  if (model.geometry()) {
    recording.AddTaps(folder, model.geometry()->layers(), grid, model.channels());
  }

  progress_.Begin("running the model");
  const ForwardSeconds seconds =
      model.Run(batch, recording.observer(), [&](double share, const std::string& where) {
        CheckStop(stop_check_);
        progress_.Update(share, where);
      });
  report.seconds.encoder = seconds.encoder;
  report.seconds.frame_blocks = seconds.frame_blocks;
  report.seconds.global_blocks = seconds.global_blocks;
  report.seconds.capture = seconds.capture;
  recording.Finish(report);
  if (geometry) {
    const GeometrySummary summary = WriteGeometryFolder(folder / kGeometryFolderName,
                                                        *std::move(geometry), metadata, frames.rgb);
    report.cameras = summary.cameras;
    report.depth_maps = summary.depth_maps;
    report.points = summary.points;
    for (const std::string& note : summary.notes) progress_.Note(note);
  }
  if (model.geometry()) {
    start = std::chrono::steady_clock::now();
    model.Unload();
    const GeometryCounts counts = model.geometry()->Run(
        folder / kGeometryFolderName, recording.taps(), metadata, batch, progress_, stop_check_);
    report.cameras = counts.cameras;
    report.depth_maps = counts.depth_maps;
    report.points = counts.points;
    report.prediction_flops = model.geometry()->Flops(grid);
    report.seconds.predict = SecondsSince(start);
  }
  report.bytes_written = FolderBytes(folder);

  report.model = model.text();
  report.pictures = batch.count;
  report.image_width = batch.width;
  report.image_height = batch.height;
  report.grid_width = grid.width;
  report.grid_height = grid.height;
  report.layers = std::ranges::count(model.layers(), true);
  report.heads = model.attention_heads();
  report.per_head = options_.save_per_head;
  report.heatmaps = options_.heatmaps;
  report.precision = model.precision();
  report.precision_reason = model.precision_reason();
  report.instructions = InstructionsFor(model.precision());
  report.qk_blocks = model.StoredCounts();
  report.flops = model.Flops(batch);
  return report;
}

}  // namespace vggt
