// SPDX-License-Identifier: Apache-2.0
// The export from pictures to files: joins the rooms that only meet here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backend/cpu/model_executor.h"
#include "cli/terminal.h"
#include "image/video_choice.h"
#include "ops/precision.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// Named as on the command line, which is the Python toolkit's.
struct ExportOptions {
  std::string image_set_name = "kitchen";
  std::string image_dir;  // empty: examples/<image_set_name>/images
  std::string video;      // instead of a folder of pictures; empty: none
  VideoChoice video_choice;
  int64_t num_images = 5;  // of a folder
  std::string output_dir_prefix = "attn_first2all_";
  std::string image_extension;  // empty: every format that is read
  int64_t first_image_idx = 0;  // which of the chosen pictures is the query frame
  std::string sort = "name";    // or natural
  bool exif_transpose = false;  // turn pictures as their EXIF says
  int64_t stride_h = 1, stride_w = 1;
  bool save_per_head = false;
  bool save_qk = false;            // write queries and keys
  bool no_heatmaps = false;        // write only these
  std::string capture = "global";  // whose queries and keys: some of global, frame, encoder
  std::string weights;             // empty: the bundled model
  std::string weights_key;         // which of several models in that file; empty: the only one
  std::string layers;              // empty: all
  int64_t image_size = 518;
  std::string precision = "auto";  // or f32, bf16; auto: bf16 where the processor multiplies it
  bool no_compress = false;
  bool overwrite = false;
};

struct ExportReport {
  std::filesystem::path output;
  std::string model;                             // "VGGT-1B, 24 global and …"
  int64_t pictures = 0, pictures_in_folder = 0;  // or frames in the video
  std::string video;  // "12 frames of clip.mp4 (0.00 to 11.52 s of 11.90 s)"; empty without
  int64_t image_width = 0, image_height = 0;  // what the model saw
  int64_t grid_width = 0, grid_height = 0;    // patches
  int64_t layers = 0, heads = 0;
  bool per_head = false;
  bool heatmaps = true;
  Precision precision = Precision::kF32;
  uint64_t bytes_written = 0;
  // Of the store of queries and keys; 0 and empty if there is none.
  uint64_t qk_bytes = 0;
  std::vector<std::pair<BlockKind, int64_t>> qk_blocks;  // how many of each kind
  double flops = 0;
  struct {
    double total = 0, load_weights = 0, pictures = 0;
    ForwardSeconds forward;
    double write = 0;  // quantising and writing: of maps, a part of forward.capture
  } seconds;
};

// What to do when memory does not suffice.
inline constexpr const char* kTakeLessMemory =
    "Take fewer pictures (--num_images), fewer patches (--image_size, --stride_h, --stride_w), or "
    "the mean of the heads.";

// Runs the whole export. Everything that can be refused is refused before anything is computed; the
// output folder appears when it is complete, and not at all if anything fails. With `overwrite` the
// files of an export are replaced; others in its folder are kept, and a folder without an export,
// or with the pictures that are read, is refused.
ExportReport RunExport(const ExportOptions& options, ProgressDisplay& display);

// The folder of the set's pictures: options.image_dir, or examples/<set>/images below the current
// folder, or the one that came with the program. Throws Error naming all the places if none exists.
std::filesystem::path FindImageDir(const ExportOptions& options);

}  // namespace vggt
