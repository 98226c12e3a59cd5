// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <span>

#include "cli/command.h"
#include "core/error.h"
#include "image/codec.h"
#include "image/frames.h"
#include "image/png_codec.h"
#include "image/preprocess.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> images;
  std::string output;
  int64_t image_size = 518;
  bool overwrite = false;
};

std::vector<fs::path> Expand(const std::vector<std::string>& images) {
  std::vector<fs::path> paths;
  for (const std::string& image : images) {
    if (fs::is_directory(image)) {
      const auto listed = ListPictures(image, "");
      paths.insert(paths.end(), listed.begin(), listed.end());
    } else {
      paths.emplace_back(image);
    }
  }
  return paths;
}

int Run(const Options& options) {
  const std::vector<fs::path> paths = Expand(options.images);
  std::vector<fs::path> outputs;
  for (size_t i = 0; i < paths.size(); ++i) {
    // Numbered, as two folders may hold the same name; the order is the model's.
    outputs.push_back(fs::path(options.output) /
                      fmt::format("{:03}_{}.png", i, paths[i].stem().string()));
    if (!options.overwrite && fs::exists(outputs.back())) {
      throw Error("exists already", outputs.back().string(), "Use --overwrite to replace it.");
    }
  }
  const PreprocessedFrames frames =
      Preprocess(paths, {.target = static_cast<int>(options.image_size)});
  fs::create_directories(options.output);
  const size_t frame_bytes = size_t{3} * frames.height * frames.width;
  for (size_t i = 0; i < paths.size(); ++i) {
    WritePng(outputs[i], frames.width, frames.height,
             std::span(frames.rgb).subspan(i * frame_bytes, frame_bytes));
    const FrameTransform& t = frames.transforms[i];
    fmt::print("{}: {}×{} -> {}×{}, {}×{} patches -> {}\n", paths[i].string(), t.original_width,
               t.original_height, frames.width, frames.height, frames.width / 14,
               frames.height / 14, outputs[i].string());
  }
  return 0;
}

}  // namespace

std::function<int()> DeclarePreprocess(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("images", options->images, "pictures, or folders of them")->required();
  app.add_option("-o,--output", options->output, "folder to write to")->required();
  app.add_option("--image_size", options->image_size, "width that the model sees, in pixels")
      ->check(CLI::Range(int64_t{1}, int64_t{100'000}, "multiples of 14"))
      ->capture_default_str();
  app.add_flag("--overwrite", options->overwrite, "replace existing files");
  app.footer(
      "Example:\n"
      "  vggt-attn preprocess examples/demo/images -o seen\n"
      "writes the pictures as the model will see them: resized, cropped and padded together.");
  return [options] { return Run(*options); };
}

}  // namespace vggt
