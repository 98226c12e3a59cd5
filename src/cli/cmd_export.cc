// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <memory>
#include <utility>

#include "capture/qk_capture.h"
#include "cli/command.h"
#include "cli/export_pipeline.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/video_input.h"
#include "core/error.h"
#include "core/parallel.h"
#include "formats/json.h"
#include "image/codec.h"

namespace vggt {
namespace {

struct ExportFlags : ExportOptions {
  VideoFlags video_flags;
  int64_t threads = 0;
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

OrderedJson ToJson(const ExportReport& report) {
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
  json["image_size"] = {report.image_width, report.image_height};
  json["patch_grid"] = {report.grid_width, report.grid_height};
  json["threads"] = ThreadCount();
  json["precision"] = PrecisionName(report.precision);
  json["flops"] = static_cast<uint64_t>(report.flops);
  json["bytes_written"] = report.bytes_written;
  json["peak_rss_bytes"] = PeakResidentBytes();
  json["seconds"] = {{"total", s.total},
                     {"pictures", s.pictures},
                     {"load_weights", s.load_weights},
                     {"encoder", s.forward.encoder},
                     {"frame_blocks", s.forward.frame_blocks},
                     {"global_blocks", s.forward.global_blocks},
                     {"capture", s.forward.capture},
                     {"write", s.write}};
  return json;
}

// ", mean of 16 heads", or nothing if there are no maps.
std::string HeadsText(const ExportReport& report) {
  if (!report.heatmaps) return "";
  return fmt::format(", {} of {} heads", report.per_head ? "each" : "mean", report.heads);
}

// "queries and keys: 24 global and 24 frame blocks, 910 MB\n", or nothing.
std::string StoreText(const ExportReport& report) {
  if (report.qk_blocks.empty()) return "";
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : report.qk_blocks) {
    kinds.push_back(fmt::format("{} {}", count, BlockKindName(kind)));
  }
  return fmt::format("queries and keys: {} blocks, {}\n", fmt::join(kinds, ", "),
                     HumanBytes(static_cast<double>(report.qk_bytes)));
}

std::string ToText(const ExportReport& report) {
  return fmt::format(
      "wrote {}: {} layer{}{}, {} picture{} of {}×{} patches ({}×{} pixels), {}\n"
      "{}{}"
      "model: {}, computed in {}\n"
      "took {}, {:.3g} GFLOP, at most {} of memory\n",
      Printable(report.output.string(), kLongestPath), report.layers, report.layers == 1 ? "" : "s",
      HeadsText(report), report.pictures, report.pictures == 1 ? "" : "s", report.grid_width,
      report.grid_height, report.image_width, report.image_height,
      HumanBytes(static_cast<double>(report.bytes_written)),
      report.video.empty() ? "" : "pictures: " + report.video + "\n", StoreText(report),
      report.model, PrecisionName(report.precision), HumanSeconds(report.seconds.total),
      report.flops / 1e9, HumanBytes(static_cast<double>(PeakResidentBytes())));
}

ValueCheck Capture() {
  return [](const std::string& text) -> std::string {
    try {
      ParseCapture(text);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
}

// The video that the flags name, if any.
void ResolveVideo(ExportFlags& options) {
  VideoFlags& flags = options.video_flags;
  if (!flags.video.empty() && !options.image_dir.empty()) {
    throw WrongUsage("pictures are taken from a folder or from a video, not from both", "--video",
                     "Give no --image_dir.");
  }
  if (IsVideoFile(options.image_dir)) flags.video = std::exchange(options.image_dir, "");
  if (flags.video.empty()) return RefuseVideoFlags(flags);
  if (!options.image_extension.empty()) {
    throw WrongUsage("frames of a video have no extension", "--image_extension", "Leave it out.");
  }
  options.video = flags.video;
  options.video_choice = ChoiceOf(flags, options.num_images);
}

int RunExport(ExportFlags& options) {
  ResolveVideo(options);
  if (options.threads > 0) SetThreadCount(static_cast<int>(options.threads));
  CatchInterrupts();
  ProgressDisplay display(options.quiet);
  const ExportReport report = RunExport(options, display);
  if (options.json) {
    fmt::print("{}", DumpJson(ToJson(report)));
  } else if (!options.quiet) {
    fmt::print("{}", ToText(report));
  }
  return 0;
}

}  // namespace

std::function<int()> DeclareExport(CLI::App& app) {
  auto options = std::make_shared<ExportFlags>();
  constexpr uint64_t kMany = 1'000'000;
  app.add_option("--image_set_name", options->image_set_name, "name of the set of pictures")
      ->type_name("NAME")
      ->check(SomeText())
      ->capture_default_str();
  app.add_option("--image_dir", options->image_dir,
                 "folder of the pictures, or a video\n[examples/<image_set_name>/images]")
      ->type_name("DIR")
      ->check(SomeText());
  DeclareVideoFlags(app, options->video_flags);
  CLI::Option* number = app.add_option("--num_images", options->num_images,
                                       "how many to take, evenly spaced by name, or in time")
                            ->type_name("N")
                            ->check(WholeNumber(1, kMany))
                            ->capture_default_str();
  app.add_option(
         "--image_extension", options->image_extension,
         fmt::format("only these: {},\n{} [all]", fmt::join(PictureExtensions().first(6), ", "),
                     fmt::join(PictureExtensions().subspan(6), ", ")))
      ->type_name("EXT")
      ->check(AnyText());
  app.add_option("--sort", options->sort,
                 "order of the pictures: name (by bytes, as Python sorts) or natural\n"
                 "(frame_2 before frame_10)")
      ->type_name("ORDER")
      ->check(OneOf({"name", "natural"}))
      ->capture_default_str();
  app.add_flag("--exif_transpose", options->exif_transpose,
               "turn pictures upright as their EXIF says, which VGGT does not");
  app.add_option("--first_image_idx", options->first_image_idx,
                 "which of those taken is the query frame, from 0")
      ->type_name("N")
      ->check(WholeNumber(0, kMany))
      ->capture_default_str();
  app.add_option("--output_dir_prefix", options->output_dir_prefix,
                 "write to <prefix><image_set_name>")
      ->type_name("TEXT")
      ->check(AnyText())
      ->capture_default_str();
  app.add_option("--stride_h", options->stride_h, "take every N-th row of patches")
      ->type_name("N")
      ->check(WholeNumber(1, kMany))
      ->capture_default_str();
  app.add_option("--stride_w", options->stride_w, "take every N-th column of patches")
      ->type_name("N")
      ->check(WholeNumber(1, kMany))
      ->capture_default_str();
  app.add_flag("--save_per_head", options->save_per_head, "keep heads apart instead of their mean");
  CLI::Option* save_qk =
      app.add_flag("--save_qk", options->save_qk,
                   "also keep queries and keys, from which every row of attention\n"
                   "follows exactly: for 'query' and for 'view'");
  app.add_flag("--no_heatmaps", options->no_heatmaps, "keep only these (with --save_qk)")
      ->needs(save_qk);
  app.add_option("--capture", options->capture,
                 "whose queries and keys: some of global, frame and encoder,\n"
                 "separated by commas (with --save_qk)")
      ->type_name("LIST")
      ->needs(save_qk)
      ->check(Capture())
      ->capture_default_str();
  CLI::Option* weights = app.add_option("--weights", options->weights,
                                        "checkpoint: a .safetensors or .pt file, an index.json\n"
                                        "or a folder [the bundled demonstration model]")
                             ->type_name("PATH")
                             ->check(SomeText());
  app.add_option("--weights_key", options->weights_key,
                 "which of several models in that file, such as ema.module")
      ->type_name("KEY")
      ->needs(weights)
      ->check(SomeText());
  app.add_option("--layers", options->layers, "only these, such as 1-4,12 [all]")
      ->type_name("LIST")
      ->check(SomeText());
  app.add_option("--image_size", options->image_size,
                 "width that the model sees: pixels, a multiple of 14")
      ->type_name("N")
      ->check(ImageWidth())
      ->capture_default_str();
  app.add_option("--precision", options->precision,
                 "numbers that are multiplied: auto, bf16 or f32; auto is bf16\n"
                 "where the processor has it, about twice as fast")
      ->type_name("TYPE")
      ->check(OneOf({"auto", "bf16", "f32"}))
      ->capture_default_str();
  app.add_option("--threads", options->threads, "threads to compute with [all processors]")
      ->type_name("N")
      ->check(WholeNumber(1, 1024));
  app.add_flag("--no_compress", options->no_compress, "store the arrays without deflating them");
  app.add_flag("--overwrite", options->overwrite, "replace an existing export");
  app.add_flag("--quiet", options->quiet, "print nothing but errors (and --json)");
  app.add_flag("--json", options->json, "print one JSON object with timings on stdout");
  app.footer(
      "Example:\n"
      "  vggt-attn export --image_set_name demo --num_images 6 --save_per_head\n"
      "writes attn_first2all_demo/ from the pictures in examples/demo/images.");
  return [options, number] {
    options->video_flags.number_given = number->count() > 0;
    return RunExport(*options);
  };
}

}  // namespace vggt
