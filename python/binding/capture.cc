// SPDX-License-Identifier: Apache-2.0
// Exports: pictures through a model.
#include "capture/capture_job.h"

#include <nanobind/stl/array.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "backend/cpu/precision_choice.h"
#include "binding/arrays.h"
#include "binding/binding.h"
#include "binding/unlocked.h"
#include "capture/maps_from_store.h"
#include "core/picture_rule.h"
#include "image/png_codec.h"
#include "image/video.h"

namespace nb = nanobind;
namespace fs = std::filesystem;
using namespace nb::literals;  // NOLINT(google-build-using-namespace)

namespace vggt::python {
namespace {

constexpr std::chrono::milliseconds kBetweenUpdates{50};

// Passes on what a job says. The job runs without Python's lock.
class PythonProgress : public CaptureProgress {
 public:
  // `note` (text, whether it is a remark) and `update` (stage, share, detail) are Python's; either
  // may be None.
  PythonProgress(nb::object note, nb::object update)
      : note_(std::move(note)), update_(std::move(update)) {}

  void Note(const std::string& text) override { Tell(text, false); }
  void Remark(const std::string& text) override { Tell(text, true); }
  void Begin(const std::string& stage) override {
    stage_ = stage;
    Say(0, "");
  }
  void Update(double share, const std::string& detail) override {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_ || share >= 1) Say(share, detail);
  }

 private:
  void Tell(const std::string& text, bool remark) {
    const nb::gil_scoped_acquire held;
    if (!note_.is_none()) note_(text, remark);
  }
  void Say(double share, const std::string& detail) {
    next_ = std::chrono::steady_clock::now() + kBetweenUpdates;
    const nb::gil_scoped_acquire held;
    if (!update_.is_none()) update_(stage_, share, detail);
  }

  nb::object note_, update_;
  std::string stage_;
  std::chrono::steady_clock::time_point next_;
};

template <typename Kind, typename Find>
Kind Named(const char* option, const std::string& name, const char* choices, const Find& find) {
  if (const auto found = find(name)) return *found;
  throw OptionError(option, "'" + Printable(name) + "' is none of " + choices);
}

void SetPictureRule(CaptureOptions& options, const std::string& name) {
  options.picture_rule =
      Named<PictureRule>("picture_rule", name, "vggt_crop, vggt_pad, pi3, da3, omega",
                         [](const std::string& text) { return FindPictureRule(text); });
}

void SetPrecision(CaptureOptions& options, const std::string& name) {
  options.precision.reset();
  if (name == "auto") return;
  options.precision =
      Named<Precision>("precision", name, "auto, bf16, f32",
                       [](const std::string& text) -> std::optional<Precision> {
                         for (const Precision each : {Precision::kF32, Precision::kBf16}) {
                           if (text == PrecisionName(each)) return each;
                         }
                         return std::nullopt;
                       });
}

void SetCapture(CaptureOptions& options, const std::vector<std::string>& kinds) {
  options.capture.clear();
  for (const std::string& kind : kinds) {
    options.capture.push_back(
        Named<BlockKind>("capture", kind, "global, frame, encoder",
                         [](const std::string& text) { return FindBlockKind(text); }));
  }
}

void TakeFolder(CaptureOptions& options, const fs::path& dir, int64_t num_images,
                const std::string& image_extension, const std::string& sort) {
  const PictureOrder order = Named<PictureOrder>(
      "sort", sort, "name, natural", [](const std::string& text) -> std::optional<PictureOrder> {
        if (text == "name") return PictureOrder::kName;
        if (text == "natural") return PictureOrder::kNatural;
        return std::nullopt;
      });
  options.input = PictureFolder{dir, num_images, image_extension, order};
}

nb::dict FactsOf(const CaptureReport& report) {
  const auto& s = report.seconds;
  nb::dict facts, seconds;
  facts["model"] = report.model;
  facts["pictures"] = report.pictures;
  if (!report.video.empty()) facts["video"] = report.video;
  facts["layers"] = report.layers;
  facts["heads"] = report.heads;
  facts["precision"] = PrecisionName(report.precision);
  facts["precision_reason"] = report.precision_reason;
  facts["instructions"] = report.instructions;
  facts["flops"] = report.flops;
  facts["prediction_flops"] = report.prediction_flops;
  facts["bytes_written"] = report.bytes_written;
  seconds["total"] = s.total;
  seconds["pictures"] = s.pictures;
  seconds["load_weights"] = s.load_weights;
  seconds["encoder"] = s.encoder;
  seconds["frame_blocks"] = s.frame_blocks;
  seconds["global_blocks"] = s.global_blocks;
  seconds["capture"] = s.capture;
  seconds["predict"] = s.predict;
  seconds["write"] = s.write;
  facts["seconds"] = seconds;
  return facts;
}

nb::dict RunCapture(const CaptureOptions& options, nb::object note, nb::object update) {
  PythonProgress progress(std::move(note), std::move(update));
  return FactsOf(Unlocked([&](const StopCheck& stop_check) {
    return CaptureJob(options, &progress, stop_check).Run();
  }));
}

using RgbPicture = nb::ndarray<const uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;

void SavePng(const fs::path& path, const RgbPicture& rgb) {
  const auto height = static_cast<int>(rgb.shape(0)), width = static_cast<int>(rgb.shape(1));
  CheckPictureSize(width, height, path.string());
  WritePng(path, width, height, {rgb.data(), rgb.size()});
}

}  // namespace

void BindCapture(nb::module_& module) {
  nb::class_<CaptureOptions>(module, "CaptureOptions")
      .def(nb::init<>())
      .def("take_folder", TakeFolder, "dir"_a, "num_images"_a, "image_extension"_a, "sort"_a)
      .def(
          "take_pictures",
          [](CaptureOptions& options, const std::vector<fs::path>& paths) {
            options.input = paths;
          },
          "paths"_a)
      .def(
          "take_video",
          [](CaptureOptions& options, const fs::path& video, std::optional<int64_t> num_images,
             std::optional<double> fps, std::optional<int64_t> every) {
            options.input =
                VideoFrames{video, {.fps = fps, .every = every, .num_images = num_images}};
          },
          "video"_a, "num_images"_a.none(), "fps"_a.none(), "every"_a.none())
      .def_rw("first_image_idx", &CaptureOptions::first_image_idx)
      .def_rw("exif_transpose", &CaptureOptions::exif_transpose)
      .def("set_picture_rule", SetPictureRule, "name"_a)
      .def_rw("image_size", &CaptureOptions::image_size)
      .def_rw("weights", &CaptureOptions::weights)
      .def_rw("weights_key", &CaptureOptions::weights_key)
      .def_rw("family", &CaptureOptions::family)
      .def("set_precision", SetPrecision, "name"_a)
      .def_rw("layers", &CaptureOptions::layers)
      .def_rw("heatmaps", &CaptureOptions::heatmaps)
      .def_rw("stride_h", &CaptureOptions::stride_h)
      .def_rw("stride_w", &CaptureOptions::stride_w)
      .def_rw("save_per_head", &CaptureOptions::save_per_head)
      .def_rw("compress", &CaptureOptions::compress)
      .def("set_capture", SetCapture, "kinds"_a)
      .def(
          "set_geometry",
          [](CaptureOptions& options, bool points,
             const std::optional<std::array<int64_t, 4>>& layers,
             const std::vector<int64_t>& lens) {
            options.geometry = PredictionOptions{.points = points, .layers = layers, .lens = lens};
          },
          "points"_a, "layers"_a.none(), "lens"_a)
      .def_rw("geometry_from", &CaptureOptions::geometry_from)
      .def_rw("image_set_name", &CaptureOptions::image_set_name)
      .def_rw("output", &CaptureOptions::output)
      .def_rw("overwrite", &CaptureOptions::overwrite);
  module.def("run_capture", RunCapture, "options"_a, "note"_a.none(), "update"_a.none(),
             nb::sig("def run_capture(options: CaptureOptions, "
                     "note: collections.abc.Callable[[str, bool], object] | None, "
                     "update: collections.abc.Callable[[str, float, str], object] | None) -> "
                     "dict[str, object]"));
  module.def(
      "write_maps",
      [](const fs::path& folder, int64_t stride_h, int64_t stride_w, bool save_per_head,
         bool compress) {
        const MapOptions options{stride_h, stride_w, save_per_head, compress};
        Unlocked(
            [&](const StopCheck& stop_check) { WriteMapsFromStore(folder, options, stop_check); });
      },
      "folder"_a, "stride_h"_a, "stride_w"_a, "save_per_head"_a, "compress"_a,
      "Writes the classic maps of an export that has queries and keys alone.");
  module.def(
      "has_video_extension", [](const fs::path& path) { return HasVideoExtension(path); },
      "path"_a);
  module.def("save_png", SavePng, "path"_a, "rgb"_a, nb::call_guard<nb::gil_scoped_release>(),
             "Writes uint8 [height, width, 3].");
  module.def(
      "thread_count", ThreadCount,
      "How many threads computing uses: OMP_NUM_THREADS, or the number of processors, unless "
      "set_thread_count was called.");
  module.def(
      "set_thread_count",
      [](int count) {
        if (count < 1 || count > 1024) {
          throw OptionError("count", std::to_string(count) + " is no number from 1 to 1024");
        }
        SetThreadCount(count);
      },
      "count"_a, "Sets the number of threads for all that begins from now on, in this process.");
}

}  // namespace vggt::python
