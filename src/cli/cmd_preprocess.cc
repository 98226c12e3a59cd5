// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <span>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/picture_notes.h"
#include "cli/terminal.h"
#include "cli/value_check.h"
#include "core/error.h"
#include "image/codec.h"
#include "image/frames.h"
#include "image/png_codec.h"
#include "image/preprocess.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

struct PreprocessFlags {
  std::vector<std::string> images;
  std::string output;
  int64_t image_size = 518;
  std::string sort = "name";
  bool exif_transpose = false, overwrite = false;
};

// The pictures that were asked for, a folder's in its place.
std::vector<fs::path> Expand(const PreprocessFlags& options, ProgressDisplay& display) {
  const bool natural = options.sort == "natural";
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (const std::string& image : options.images) {
    if (fs::is_directory(image, ignored)) {
      const auto listed =
          ListPictures(image, "", natural ? PictureOrder::kNatural : PictureOrder::kName);
      const std::string order = natural ? "" : OrderNote(CompareOrders(listed));
      if (!order.empty()) display.Note(order);
      paths.insert(paths.end(), listed.begin(), listed.end());
    } else {
      paths.emplace_back(image);
    }
  }
  return paths;
}

// What a run has made: taken away again unless it is kept.
class Outputs {
 public:
  explicit Outputs(const std::string& folder) {
    std::error_code ignored, failed;
    for (fs::path p = fs::absolute(folder).lexically_normal(); !fs::exists(p, ignored);
         p = p.parent_path()) {
      folders_.push_back(p);
    }
    fs::create_directories(folder, failed);
    if (failed) {
      Remove();
      ThrowSystemError(failed.value(), "cannot create this folder", folder);
    }
  }
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;
  ~Outputs() { Remove(); }

  void Add(const fs::path& file) { files_.push_back(file); }
  void Keep() {
    files_.clear();
    folders_.clear();
  }

 private:
  void Remove() {
    std::error_code ignored;
    for (const fs::path& file : files_) fs::remove(file, ignored);
    for (const fs::path& folder : folders_) fs::remove(folder, ignored);  // only if empty
  }

  std::vector<fs::path> files_, folders_;
};

int RunPreprocess(const PreprocessFlags& options) {
  CatchInterrupts();
  ProgressDisplay display(false);
  const std::vector<fs::path> paths = Expand(options, display);
  std::vector<fs::path> names;
  std::error_code ignored;
  for (const fs::path& path : paths) {
    // Numbered, as two folders may hold the same name; the order is the model's.
    names.push_back(fs::path(options.output) /
                    fmt::format("{:03}_{}.png", names.size(), path.stem().string()));
    if (!options.overwrite && fs::exists(names.back(), ignored)) {
      throw Error("exists already", names.back().string(), "Use --overwrite to replace it.");
    }
  }
  const PreprocessedFrames frames = Preprocess(
      paths,
      {.target = static_cast<int>(options.image_size), .exif_transpose = options.exif_transpose});
  const std::string rotations = RotationNote(frames.orientations);
  if (!options.exif_transpose && !rotations.empty()) display.Note(rotations);
  Outputs outputs(options.output);
  const size_t frame_bytes = size_t{3} * frames.height * frames.width;
  std::string said;
  for (size_t i = 0; i < paths.size(); ++i) {
    ThrowIfInterrupted();
    WritePng(names[i], frames.width, frames.height,
             std::span(frames.rgb).subspan(i * frame_bytes, frame_bytes));
    outputs.Add(names[i]);
    const FrameTransform& t = frames.transforms[i];
    said += fmt::format("{}: {}×{}{} -> {}×{}, {}×{} patches -> {}\n",
                        PrintableText(paths[i].string()), t.original_width, t.original_height,
                        t.orientation == 1 ? "" : " turned", frames.width, frames.height,
                        frames.width / 14, frames.height / 14, PrintableText(names[i].string()));
  }
  outputs.Keep();
  fmt::print("{}", said);
  return 0;
}

}  // namespace

std::function<int()> DeclarePreprocess(CLI::App& app) {
  auto options = std::make_shared<PreprocessFlags>();
  app.add_option("images", options->images, "pictures, or folders of them")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(SomeText())
      ->required();
  app.add_option("-o,--output", options->output, "folder to write to")
      ->check(SomeText())
      ->type_name("DIR")
      ->required();
  app.add_option("--image_size", options->image_size,
                 "width that the model sees: pixels, a multiple of 14")
      ->check(ImageWidth())
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--sort", options->sort,
                 "order of a folder's pictures: name (by bytes, as Python sorts)\n"
                 "or natural (frame_2 before frame_10)")
      ->type_name("ORDER")
      ->check(OneOf({"name", "natural"}))
      ->capture_default_str();
  app.add_flag("--exif_transpose", options->exif_transpose,
               "turn pictures upright as their EXIF says, which VGGT does not");
  app.add_flag("--overwrite", options->overwrite, "replace existing files");
  app.footer(
      "Example:\n"
      "  vggt-attn preprocess examples/demo/images -o seen\n"
      "writes the pictures as the model will see them: resized, cropped and padded together.");
  return [options] { return RunPreprocess(*options); };
}

}  // namespace vggt
