// SPDX-License-Identifier: Apache-2.0
// An export from pictures to files: the whole way, for any program that wants one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "capture/capture_options.h"
#include "capture/progress.h"
#include "core/parallel.h"

namespace vggt {

class CaptureInput;

struct CaptureReport {
  std::filesystem::path output;
  std::string model;                             // "VGGT-1B, 24 global and …"
  int64_t pictures = 0, pictures_in_folder = 0;  // or of a list, or frames of the video
  std::string video;  // "12 frames of clip.mp4 (0.00 to 11.52 s of 11.90 s)"; empty without
  int64_t image_width = 0, image_height = 0;  // what the model saw
  int64_t grid_width = 0, grid_height = 0;    // patches
  int64_t layers = 0, heads = 0;              // wanted ones, also if no maps are written
  bool per_head = false;
  bool heatmaps = true;
  Precision precision = Precision::kF32;
  std::string precision_reason;  // "as asked", or why it is the faster one here
  std::string instructions;      // that matrix products were computed with: "AVX512_BF16"
  uint64_t bytes_written = 0;    // of all files: pictures, maps and store
  // Of the store of queries and keys; 0 and empty if there is none.
  uint64_t qk_bytes = 0;
  std::vector<std::pair<BlockKind, int64_t>> qk_blocks;  // how many of each kind
  // Of the export's geometry/; 0 if there is none.
  int64_t cameras = 0, depth_maps = 0, points = 0;
  double flops = 0;             // of the pass, as ForwardFlops counts them (model/flops.h)
  double prediction_flops = 0;  // of the prediction heads
  struct {                      // of wall time
    double total = 0, pictures = 0, load_weights = 0;
    double encoder = 0, frame_blocks = 0, global_blocks = 0;
    double capture = 0;  // of queries and keys, by the thread that runs the model
    double predict = 0;  // by the prediction heads, with reading their weights
    double write = 0;    // quantising and writing: of maps, a part of `capture`
  } seconds;
};

// What to do when memory does not suffice.
inline constexpr const char* kTakeLessMemory =
    "Take fewer pictures (`num_images`), fewer patches (`image_size`, `stride_h`, `stride_w`), or "
    "the mean of the heads.";

// One export. Jobs know nothing of each other: several may run at once, each in a thread, if they
// write to different folders. They share the process's number of threads (SetThreadCount).
class CaptureJob {
 public:
  // `progress` must outlive the job; nullptr: nothing is said. `stop_check` is called now and then,
  // from several threads at once; what it throws ends the job.
  explicit CaptureJob(CaptureOptions options, CaptureProgress* progress = nullptr,
                      StopCheck stop_check = {});
  CaptureJob(const CaptureJob&) = delete;
  CaptureJob& operator=(const CaptureJob&) = delete;

  // Once. Everything that can be refused is refused before anything is computed; the output folder
  // appears when it is complete, and not at all if anything throws. What killed jobs have left
  // beside it is tidied up first.
  //
  // Throws OptionError or LayerError (capture_options.h) for options that this model or processor
  // cannot have, ModelChoiceError (model/model_choice.h) if `weights_key` is not clear, and Error
  // for anything else, among it values out of the ranges that capture_options.h states. Texts name
  // options by the fields of CaptureOptions and of its input, in backquotes (core/error.h). What
  // `stop_check` throws, and std::bad_alloc, pass through unchanged.
  CaptureReport Run();

 private:
  CaptureReport ExportTo(const std::filesystem::path& folder, CaptureInput& input);

  const CaptureOptions options_;
  CaptureProgress silent_;
  CaptureProgress& progress_;
  const StopCheck stop_check_;
};

}  // namespace vggt
