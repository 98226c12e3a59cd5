// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <fstream>
#include <memory>

#include "cli/command.h"
#include "cli/export_pipeline.h"
#include "cli/interrupt.h"
#include "core/error.h"
#include "core/parallel.h"
#include "formats/json.h"

namespace vggt {
namespace {

struct Options : ExportOptions {
  int64_t threads = 0;
  bool quiet = false, json = false;
};

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
  json["layers"] = report.layers;
  json["heads"] = report.heads;
  json["per_head"] = report.per_head;
  json["image_size"] = {report.image_width, report.image_height};
  json["patch_grid"] = {report.grid_width, report.grid_height};
  json["threads"] = ThreadCount();
  json["precision"] = "f32";
  json["flops"] = report.flops;
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

std::string ToText(const ExportReport& report) {
  return fmt::format(
      "wrote {}/: {} pictures as {}×{} pixels ({}×{} patches), {} layer{}, {}, {}\n"
      "{} in {} ({:.2g} TFLOP), at most {} of memory\n",
      report.output.string(), report.pictures, report.image_width, report.image_height,
      report.grid_width, report.grid_height, report.layers, report.layers == 1 ? "" : "s",
      report.per_head ? fmt::format("each of {} heads", report.heads)
                      : fmt::format("mean of {} heads", report.heads),
      HumanBytes(static_cast<double>(report.bytes_written)), report.model,
      HumanSeconds(report.seconds.total), report.flops / 1e12,
      HumanBytes(static_cast<double>(PeakResidentBytes())));
}

int Run(const Options& options) {
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
  auto options = std::make_shared<Options>();
  constexpr int64_t kMany = 1'000'000;
  const auto positive = CLI::Range(int64_t{1}, kMany, "1 … 1000000");
  app.add_option("--image_set_name", options->image_set_name, "name of the set of pictures")
      ->capture_default_str();
  app.add_option("--image_dir", options->image_dir,
                 "folder of the pictures [examples/<image_set_name>/images]");
  app.add_option("--num_images", options->num_images, "how many to take, evenly spaced by name")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--image_extension", options->image_extension,
                 "only these: png, jpg, jpeg or webp [all]");
  app.add_option("--first_image_idx", options->first_image_idx,
                 "which of the pictures taken is the query frame")
      ->check(CLI::Range(int64_t{0}, kMany, "0 … 1000000"))
      ->capture_default_str();
  app.add_option("--output_dir_prefix", options->output_dir_prefix,
                 "output goes to <prefix><image_set_name>")
      ->capture_default_str();
  app.add_option("--stride_h", options->stride_h, "every n-th row of patches")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--stride_w", options->stride_w, "every n-th column of patches")
      ->check(positive)
      ->capture_default_str();
  app.add_flag("--save_per_head", options->save_per_head, "keep heads apart instead of their mean");
  app.add_option("--weights", options->weights,
                 "checkpoint: .safetensors, its index.json, or .pt [the bundled demonstration "
                 "model]");
  app.add_option("--layers", options->layers, "such as 1-4,12 [all]");
  app.add_option("--image_size", options->image_size, "width that the model sees, in pixels")
      ->check(CLI::Range(int64_t{1}, int64_t{100'000}, "multiples of 14"))
      ->capture_default_str();
  app.add_option("--threads", options->threads, "threads to compute with [all processors]")
      ->check(CLI::Range(int64_t{1}, int64_t{1024}, "1 … 1024"));
  app.add_flag("--no_compress", options->no_compress, "store the arrays without deflating them");
  app.add_flag("--overwrite", options->overwrite, "replace an existing output");
  app.add_flag("--quiet", options->quiet, "print nothing but errors");
  app.add_flag("--json", options->json, "print one JSON object with timings on stdout");
  app.footer(
      "Example:\n"
      "  vggt-attn export --image_set_name demo --num_images 6 --save_per_head\n"
      "writes attn_first2all_demo/ from the pictures in examples/demo/images.");
  return [options] { return Run(*options); };
}

}  // namespace vggt
