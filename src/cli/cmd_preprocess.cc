// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <span>

#include "capture/picture_notes.h"
#include "capture/video_input.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/picture_flags.h"
#include "cli/terminal.h"
#include "cli/video_flags.h"
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
  VideoFlags video;
  int64_t num_images = kVideoFramesByDefault;
  std::string output;
  PictureFlags pictures;
  std::string sort = "name";
  bool overwrite = false;
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

// With the patches of the rule's own models.
PreprocessOptions ToPreprocessOptions(const PreprocessFlags& flags) {
  const PictureRule rule = flags.pictures.rule().value_or(PictureRule::kVggtCrop);
  return {.rule = rule,
          .target = static_cast<int>(flags.pictures.image_size),
          .patch = OwnPatch(rule),
          .exif_transpose = flags.pictures.exif_transpose};
}

// What is written, one of each for each frame.
struct PreprocessInput {
  PreprocessedFrames frames;
  std::vector<std::string> names;  // as they are shown
  std::vector<fs::path> outputs;
};

// Numbered, as two folders may hold the same name; the order is the model's.
void AddOutput(PreprocessInput& input, const PreprocessFlags& options, const std::string& stem) {
  std::error_code ignored;
  input.outputs.push_back(fs::path(options.output) /
                          fmt::format("{:03}_{}.png", input.outputs.size(), stem));
  if (!options.overwrite && fs::exists(input.outputs.back(), ignored)) {
    throw Error("exists already", input.outputs.back().string(), "Use --overwrite to replace it.");
  }
}

PreprocessInput ReadPictures(const PreprocessFlags& options, ProgressDisplay& display) {
  PreprocessInput input;
  const std::vector<fs::path> paths = Expand(options, display);
  for (const fs::path& path : paths) {
    AddOutput(input, options, path.stem().string());
    input.names.push_back(path.string());
  }
  input.frames = Preprocess(paths, ToPreprocessOptions(options));
  const std::string rotations = RotationNote(input.frames.orientations);
  if (!options.pictures.exif_transpose && !rotations.empty()) display.Note(rotations);
  return input;
}

PreprocessInput ReadFrames(const PreprocessFlags& options, ProgressDisplay& display) {
  PreprocessInput input;
  VideoInput video(options.video.video, ChoiceOf(options.video, options.num_images), 0, display,
                   ThrowIfInterrupted);
  display.Begin("reading frames");
  VideoInput::Frames read = video.Read(ToPreprocessOptions(options), [](size_t, const Picture&) {});
  display.End();
  display.Note(video.summary());
  const std::string stem = video.file().stem().string();
  for (const PictureSource& source : read.sources) {
    AddOutput(input, options, fmt::format("{}_{:.2f}s", stem, *source.seconds));
    input.names.push_back(SourceText(source));
  }
  input.frames = std::move(read.frames);
  return input;
}

// One video, or pictures.
void ResolveVideo(PreprocessFlags& options) {
  VideoFlags& flags = options.video;
  if (!flags.video.empty() && !options.images.empty()) {
    throw WrongUsage("pictures are taken from files and folders or from a video, not from both",
                     "--video", "Name one of them.");
  }
  if (options.images.size() == 1 && IsVideoFile(options.images[0])) {
    flags.video = options.images[0];
  } else if (flags.video.empty() && options.images.empty()) {
    throw WrongUsage("there is nothing to read", "",
                     "Name pictures or folders of them, or a video with --video FILE.");
  }
  if (!flags.video.empty()) return;
  RefuseVideoFlags(flags);
  if (flags.number_given) {
    throw WrongUsage("all pictures that are named are taken", "--num_images",
                     "It counts the frames of a --video.");
  }
}

int RunPreprocess(PreprocessFlags& options) {
  ResolveVideo(options);
  CatchInterrupts();
  ProgressDisplay display(false);
  const PreprocessInput input =
      options.video.video.empty() ? ReadPictures(options, display) : ReadFrames(options, display);
  const PreprocessedFrames& frames = input.frames;
  Outputs outputs(options.output);
  const size_t frame_bytes = size_t{3} * frames.height * frames.width;
  const int patch = ToPreprocessOptions(options).patch;
  std::string said;
  for (size_t i = 0; i < input.outputs.size(); ++i) {
    ThrowIfInterrupted();
    WritePng(input.outputs[i], frames.width, frames.height,
             std::span(frames.rgb).subspan(i * frame_bytes, frame_bytes),
             {.existing = options.overwrite ? Existing::kReplace : Existing::kRefuse});
    outputs.Add(input.outputs[i]);
    const FrameTransform& t = frames.transforms[i];
    said +=
        fmt::format("{}: {}×{}{} -> {}×{}, {}×{} patches -> {}\n", PrintableText(input.names[i]),
                    t.original_width, t.original_height, t.orientation == 1 ? "" : " turned",
                    frames.width, frames.height, frames.width / patch, frames.height / patch,
                    PrintableText(input.outputs[i].string()));
  }
  outputs.Keep();
  fmt::print("{}", said);
  return 0;
}

}  // namespace

std::function<int()> DeclarePreprocess(CLI::App& app) {
  auto options = std::make_shared<PreprocessFlags>();
  app.add_option("images", options->images, "pictures, or folders of them; or a video")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(SomeText());
  DeclareVideoFlags(app, options->video);
  CLI::Option* number = app.add_option("--num_images", options->num_images,
                                       "of a video: how many frames, evenly spaced in time")
                            ->check(WholeNumber(1, 1'000'000))
                            ->type_name("N")
                            ->capture_default_str();
  app.add_option("-o,--output", options->output, "folder to write to")
      ->check(SomeText())
      ->type_name("DIR")
      ->required();
  DeclarePictureFlags(app, options->pictures, "vggt_crop");
  app.add_option("--sort", options->sort,
                 "order of a folder's pictures: name (by bytes, as Python sorts)\n"
                 "or natural (frame_2 before frame_10)")
      ->type_name("ORDER")
      ->check(OneOf({"name", "natural"}))
      ->capture_default_str();
  app.add_flag("--overwrite", options->overwrite, "replace existing files");
  app.footer(
      "Example:\n"
      "  vggt-attn preprocess examples/demo/images -o seen\n"
      "writes the pictures as the model will see them: resized, cropped and padded together.");
  return [options, number] {
    options->video.number_given = number->count() > 0;
    return RunPreprocess(*options);
  };
}

}  // namespace vggt
