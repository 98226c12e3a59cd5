// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <utility>

#include "backend/cpu/precision_choice.h"
#include "capture/capture_job.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/picture_flags.h"
#include "cli/program_file.h"
#include "cli/terminal.h"
#include "cli/video_flags.h"
#include "core/error.h"
#include "core/parallel.h"
#include "formats/json.h"
#include "image/codec.h"
#include "model/families.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

// As on the command line, which is the Python toolkit's.
struct ExportFlags {
  std::string image_set_name = "kitchen";
  std::string image_dir;  // empty: examples/<image_set_name>/images
  VideoFlags video;
  int64_t num_images = 5;
  std::string output_dir_prefix = "attn_first2all_";
  std::string image_extension;
  int64_t first_image_idx = 0;
  std::string sort = "name";
  int64_t stride_h = 1, stride_w = 1;
  bool save_per_head = false, save_qk = false, no_heatmaps = false;
  std::string capture = "global";
  std::string geometry_from;
  bool geometry = false, geometry_points = false;
  std::string geometry_layers;  // empty: as the model has them
  std::string layers_lens;      // empty: none
  std::string weights, weights_key, family;
  std::string layers;  // empty: all
  PictureFlags pictures;
  std::string precision = "auto";
  bool no_compress = false, overwrite = false;
  int64_t threads = 0;  // 0: not given
  bool quiet = false, json = false;
};

constexpr size_t kLongestPath = 4096;  // the user's own, whole

// The most memory that was resident at once. getrusage's ru_maxrss would count that of the shell
// which started this process.
uint64_t PeakResidentBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

OrderedJson ToJson(const CaptureReport& report) {
  const auto& s = report.seconds;
  OrderedJson json;
  json["output"] = report.output.string();
  json["model"] = report.model;
  json["pictures"] = report.pictures;
  json["video"] = report.video.empty() ? OrderedJson() : OrderedJson(report.video);
  json["layers"] = report.layers;
  json["heads"] = report.heads;
  json["per_head"] = report.per_head;
  json["heatmaps"] = report.heatmaps;
  json["qk"] = nullptr;
  if (!report.qk_blocks.empty()) {
    OrderedJson blocks = OrderedJson::object();
    for (const auto& [kind, count] : report.qk_blocks) blocks[BlockKindName(kind)] = count;
    json["qk"] = {{"blocks", blocks}, {"bytes", report.qk_bytes}};
  }
  json["geometry"] = nullptr;
  if (report.cameras > 0) {
    json["geometry"] = {
        {"cameras", report.cameras}, {"depth_maps", report.depth_maps}, {"points", report.points}};
  }
  json["image_size"] = {report.image_width, report.image_height};
  json["patch_grid"] = {report.grid_width, report.grid_height};
  json["threads"] = ThreadCount();
  json["precision"] = PrecisionName(report.precision);
  json["precision_reason"] = report.precision_reason;
  json["instructions"] = report.instructions;
  json["flops"] = static_cast<uint64_t>(report.flops);
  json["prediction_flops"] = static_cast<uint64_t>(report.prediction_flops);
  json["bytes_written"] = report.bytes_written;
  json["peak_rss_bytes"] = PeakResidentBytes();
  json["seconds"] = {
      {"total", s.total},     {"pictures", s.pictures},         {"load_weights", s.load_weights},
      {"encoder", s.encoder}, {"frame_blocks", s.frame_blocks}, {"global_blocks", s.global_blocks},
      {"capture", s.capture}, {"predict", s.predict},           {"write", s.write}};
  return json;
}

// ", mean of 16 heads", or nothing if there are no maps.
std::string HeadsText(const CaptureReport& report) {
  if (!report.heatmaps) return "";
  return fmt::format(", {} of {} heads", report.per_head ? "each" : "mean", report.heads);
}

// "queries and keys: 24 global and 24 frame blocks, 910 MB\n", or nothing.
std::string StoreText(const CaptureReport& report) {
  if (report.qk_blocks.empty()) return "";
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : report.qk_blocks) {
    kinds.push_back(fmt::format("{} {}", count, BlockKindName(kind)));
  }
  return fmt::format("queries and keys: {} blocks, {}\n", fmt::join(kinds, ", "),
                     HumanBytes(static_cast<double>(report.qk_bytes)));
}

// "geometry: 6 cameras, 6 depth maps, 543900 points\n", or nothing.
std::string GeometryText(const CaptureReport& report) {
  if (report.cameras == 0) return "";
  return fmt::format("geometry: {} camera{}, {} depth map{}, {} points\n", report.cameras,
                     report.cameras == 1 ? "" : "s", report.depth_maps,
                     report.depth_maps == 1 ? "" : "s", report.points);
}

std::string ToText(const CaptureReport& report) {
  return fmt::format(
      "wrote {}: {} layer{}{}, {} picture{} of {}×{} patches ({}×{} pixels), {}\n"
      "{}{}{}"
      "model: {}, computed in {} ({}; {})\n"
      "took {}, {:.3g} GFLOP, at most {} of memory\n",
      Printable(report.output.string(), kLongestPath), report.layers, report.layers == 1 ? "" : "s",
      HeadsText(report), report.pictures, report.pictures == 1 ? "" : "s", report.grid_width,
      report.grid_height, report.image_width, report.image_height,
      HumanBytes(static_cast<double>(report.bytes_written)),
      report.video.empty() ? "" : "pictures: " + report.video + "\n", StoreText(report),
      GeometryText(report), report.model, PrecisionName(report.precision), report.instructions,
      report.precision_reason, HumanSeconds(report.seconds.total),
      (report.flops + report.prediction_flops) / 1e9,
      HumanBytes(static_cast<double>(PeakResidentBytes())));
}

// The video that the flags name, if any.
void ResolveVideo(ExportFlags& flags) {
  VideoFlags& video = flags.video;
  if (!video.video.empty() && !flags.image_dir.empty()) {
    throw WrongUsage("pictures are taken from a folder or from a video, not from both", "--video",
                     "Give no --image_dir.");
  }
  if (IsVideoFile(flags.image_dir)) video.video = std::exchange(flags.image_dir, "");
  if (video.video.empty()) return RefuseVideoFlags(video);
  if (!flags.image_extension.empty()) {
    throw WrongUsage("frames of a video have no extension", "--image_extension", "Leave it out.");
  }
}

// --image_dir, or examples/<set>/images below the current folder, or that which came with the
// program. Throws Error naming all the places if none exists.
fs::path FindImageDir(const ExportFlags& flags) {
  if (!flags.image_dir.empty()) return flags.image_dir;
  const fs::path below = fs::path("examples") / flags.image_set_name / "images";
  std::error_code ignored;
  if (fs::is_directory(below, ignored)) return below;
  std::vector<std::string> others;
  for (const fs::path& place : InstalledPlaces(below)) {
    if (fs::is_directory(place, ignored)) return place;
    others.push_back(PrintableText(place.string()));
  }
  throw Error("no such folder", below.string(),
              fmt::format("Put the pictures there or name their folder with --image_dir. (Also "
                          "looked for {}.)",
                          fmt::join(others, " and ")));
}

std::vector<int64_t> LayersOf(const std::string& list) {
  std::vector<int64_t> layers;
  for (const LayerItem& item : ParseLayerList(list)) {
    layers.insert(layers.end(), item.layers.begin(), item.layers.end());
  }
  return layers;
}

PredictionOptions ToPrediction(const ExportFlags& flags) {
  PredictionOptions options{.points = flags.geometry_points, .lens = LayersOf(flags.layers_lens)};
  if (flags.geometry_layers.empty()) return options;
  const std::vector<int64_t> layers = LayersOf(flags.geometry_layers);
  if (layers.size() != 4) {
    throw WrongUsage(fmt::format("names {} layers where four are needed", layers.size()),
                     "--geometry_layers", "Write four layers, such as 5,12,18,24.");
  }
  std::ranges::copy(layers, options.layers.emplace().begin());
  return options;
}

CaptureOptions ToOptions(const ExportFlags& flags, const std::vector<LayerItem>& layers) {
  CaptureOptions options;
  if (flags.video.video.empty()) {
    options.input = PictureFolder{
        .dir = FindImageDir(flags),
        .num_images = flags.num_images,
        .image_extension = flags.image_extension,
        .sort = flags.sort == "natural" ? PictureOrder::kNatural : PictureOrder::kName};
  } else {
    options.input = VideoFrames{flags.video.video, ChoiceOf(flags.video, flags.num_images)};
  }
  options.first_image_idx = flags.first_image_idx;
  options.exif_transpose = flags.pictures.exif_transpose;
  options.picture_rule = flags.pictures.rule();
  options.image_size = static_cast<int>(flags.pictures.image_size);
  options.weights = flags.weights;
  options.weights_key = flags.weights_key;
  options.family = flags.family;
  if (flags.precision == "f32") options.precision = Precision::kF32;
  if (flags.precision == "bf16") options.precision = Precision::kBf16;
  for (const LayerItem& item : layers) {
    options.layers.insert(options.layers.end(), item.layers.begin(), item.layers.end());
  }
  options.heatmaps = !flags.no_heatmaps;
  options.stride_h = flags.stride_h;
  options.stride_w = flags.stride_w;
  options.save_per_head = flags.save_per_head;
  options.compress = !flags.no_compress;
  if (flags.save_qk) options.capture = ParseBlockKinds(flags.capture);
  options.geometry_from = flags.geometry_from;
  if (flags.geometry) options.geometry = ToPrediction(flags);
  options.image_set_name = flags.image_set_name;
  options.output = flags.output_dir_prefix + flags.image_set_name;
  options.overwrite = flags.overwrite;
  return options;
}

// Runs the job; its errors name what was typed.
CaptureReport RunJob(const ExportFlags& flags) {
  const std::vector<LayerItem> layers = ParseLayerList(flags.layers);
  ProgressDisplay display(flags.quiet);
  CaptureJob job(ToOptions(flags, layers), &display, ThrowIfInterrupted);
  try {
    return job.Run();
  } catch (const LayerError& error) {
    const auto item = std::ranges::find_if(layers, [&](const LayerItem& candidate) {
      return std::ranges::count(candidate.layers, error.layer()) > 0;
    });
    throw Error(fmt::format("'{}' names no layers of this model, which has {}",
                            Printable(item->text), error.layers()),
                "--layers", "Write single layers and ranges, such as 1-4,12.");
  }
}

int RunExport(ExportFlags& flags) {
  ResolveVideo(flags);
  if (flags.threads > 0) SetThreadCount(static_cast<int>(flags.threads));
  CatchInterrupts();
  const CaptureReport report = RunJob(flags);
  if (flags.json) {
    fmt::print("{}", DumpJson(ToJson(report)));
  } else if (!flags.quiet) {
    fmt::print("{}", ToText(report));
  }
  return 0;
}

}  // namespace

std::function<int()> DeclareExport(CLI::App& app) {
  auto flags = std::make_shared<ExportFlags>();
  constexpr uint64_t kMany = 1'000'000;
  app.add_option("--image_set_name", flags->image_set_name, "name of the set of pictures")
      ->type_name("NAME")
      ->check(SomeText())
      ->capture_default_str();
  app.add_option("--image_dir", flags->image_dir,
                 "folder of the pictures, or a video\n[examples/<image_set_name>/images]")
      ->type_name("DIR")
      ->check(SomeText());
  DeclareVideoFlags(app, flags->video);
  CLI::Option* number = app.add_option("--num_images", flags->num_images,
                                       "how many to take, evenly spaced by name, or in time")
                            ->type_name("N")
                            ->check(WholeNumber(1, kMany))
                            ->capture_default_str();
  app.add_option(
         "--image_extension", flags->image_extension,
         fmt::format("only these: {},\n{} [all]", fmt::join(PictureExtensions().first(6), ", "),
                     fmt::join(PictureExtensions().subspan(6), ", ")))
      ->type_name("EXT")
      ->check(AnyText());
  app.add_option("--sort", flags->sort,
                 "order of the pictures: name (by bytes, as Python sorts) or natural\n"
                 "(frame_2 before frame_10)")
      ->type_name("ORDER")
      ->check(OneOf({"name", "natural"}))
      ->capture_default_str();
  DeclarePictureFlags(app, flags->pictures, "the model's own");
  app.add_option("--first_image_idx", flags->first_image_idx,
                 "which of those taken is the query frame, from 0")
      ->type_name("N")
      ->check(WholeNumber(0, kMany))
      ->capture_default_str();
  app.add_option("--output_dir_prefix", flags->output_dir_prefix,
                 "write to <prefix><image_set_name>")
      ->type_name("TEXT")
      ->check(AnyText())
      ->capture_default_str();
  app.add_option("--stride_h", flags->stride_h, "take every N-th row of patches")
      ->type_name("N")
      ->check(WholeNumber(1, kMany))
      ->capture_default_str();
  app.add_option("--stride_w", flags->stride_w, "take every N-th column of patches")
      ->type_name("N")
      ->check(WholeNumber(1, kMany))
      ->capture_default_str();
  app.add_flag("--save_per_head", flags->save_per_head, "keep heads apart instead of their mean");
  CLI::Option* save_qk =
      app.add_flag("--save_qk", flags->save_qk,
                   "also keep queries and keys, from which every row of attention\n"
                   "follows exactly, and norms of values and hidden states: for\n"
                   "'query', 'view' and 'report'");
  app.add_flag("--no_heatmaps", flags->no_heatmaps, "keep only these (with --save_qk)")
      ->needs(save_qk);
  app.add_option("--capture", flags->capture,
                 "whose queries and keys: some of global, frame and encoder,\n"
                 "separated by commas (with --save_qk)")
      ->type_name("LIST")
      ->needs(save_qk)
      ->check(BlockKindList())
      ->capture_default_str();
  CLI::Option* geometry = app.add_flag("--geometry", flags->geometry,
                                       "also predict cameras and depth, by the checkpoint's heads");
  app.add_flag("--geometry_points", flags->geometry_points,
               "also the points that its point head predicts (with --geometry)")
      ->needs(geometry);
  app.add_option("--geometry_layers", flags->geometry_layers,
                 "whose tokens depth and points are made of: four layers\n"
                 "[5,12,18,24 of 24 layers, else the last of each quarter]")
      ->type_name("LIST")
      ->needs(geometry)
      ->check(SomeText());
  app.add_option("--layers_lens", flags->layers_lens,
                 "predict them after each of these layers, too, as if the model\n"
                 "ended there (with --geometry)")
      ->type_name("LIST")
      ->needs(geometry)
      ->check(SomeText());
  app.add_option("--geometry_from", flags->geometry_from,
                 "cameras and depth of these pictures, kept in geometry/: a\ncameras.json, or a "
                 "folder with one, a COLMAP model or a scan\n(pose/, depth/, intrinsic/)")
      ->type_name("PATH")
      ->excludes(geometry)
      ->check(SomeText());
  CLI::Option* weights = app.add_option("--weights", flags->weights,
                                        "checkpoint: a .safetensors or .pt file, an index.json\n"
                                        "or a folder [the bundled demonstration model]")
                             ->type_name("PATH")
                             ->check(SomeText());
  app.add_option("--weights_key", flags->weights_key,
                 "which of several models in that file, such as ema.module")
      ->type_name("KEY")
      ->needs(weights)
      ->check(SomeText());
  app.add_option(
         "--family", flags->family,
         "which of the families whose tensors have these names:\nstreamvggt instead of vggt")
      ->type_name("NAME")
      ->needs(weights)
      ->check(OneOf(FamilyWords()));
  app.add_option("--layers", flags->layers, "only these, such as 1-4,12 [all]")
      ->type_name("LIST")
      ->check(SomeText());
  app.add_option("--precision", flags->precision,
                 "numbers that are multiplied: bf16, f32, or auto, which is the\n"
                 "faster of the two on this processor (named below)")
      ->type_name("TYPE")
      ->check(OneOf({"auto", "bf16", "f32"}))
      ->capture_default_str();
  app.add_option("--threads", flags->threads, "threads to compute with [all processors]")
      ->type_name("N")
      ->check(WholeNumber(1, 1024));
  app.add_flag("--no_compress", flags->no_compress, "store the arrays without deflating them");
  app.add_flag("--overwrite", flags->overwrite, "replace an existing export");
  app.add_flag("--quiet", flags->quiet, "print nothing but errors (and --json)");
  app.add_flag("--json", flags->json, "print one JSON object with timings on stdout");
  // Written only when help is asked for: what is faster may have to be measured.
  app.footer("");  // not the program's own
  app.footer([] {
    return "Example:\n"
           "  vggt-attn export --image_set_name demo --num_images 6 --save_per_head\n"
           "writes attn_first2all_demo/ from the pictures in examples/demo/images.\n\n"
           "This program " +
           PrecisionText() + ".";
  });
  return [flags, number] {
    flags->video.number_given = number->count() > 0;
    return RunExport(*flags);
  };
}

}  // namespace vggt
