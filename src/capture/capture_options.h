// SPDX-License-Identifier: Apache-2.0
// What a job exports, from which pictures, with which model, and where to.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/block_kind.h"
#include "core/error.h"
#include "core/picture_rule.h"
#include "image/frames.h"
#include "image/video_choice.h"
#include "ops/precision.h"

namespace vggt {

// Pictures of a folder, evenly spaced in their order. If there are fewer than `num_images`, all are
// taken.
struct PictureFolder {
  std::filesystem::path dir;
  int64_t num_images = 5;            // at least 1
  std::string image_extension = {};  // with or without its dot, in any case; empty: every format
  PictureOrder sort = PictureOrder::kName;
};

// All of these pictures, in this order; at least one.
using PictureList = std::vector<std::filesystem::path>;

// Frames of a video. Without numbers in `choice` five of them, evenly spaced in time.
struct VideoFrames {
  std::filesystem::path video;
  VideoChoice choice = {};
};

// Cameras and depth of the pictures, by the model's prediction heads.
struct PredictionOptions {
  bool points = false;  // also the points that the model's point head predicts
  // Whose tokens depth and points are made of, from 1, ascending; none: model/heads_plan.h.
  std::optional<std::array<int64_t, 4>> layers = {};
  int64_t camera_heads = 16;  // of attention in the camera head, which shows in no tensor
  // Layers, from 1, after each of which cameras and depth are predicted as if the model ended there
  // (a "logit lens"): taps of later layers are replaced by that layer's. Empty: none.
  std::vector<int64_t> lens = {};
};

struct CaptureOptions {
  std::variant<PictureFolder, PictureList, VideoFrames> input = {};
  int64_t first_image_idx = 0;  // which of the chosen pictures is the query frame, from 0
  bool exif_transpose = false;  // turn pictures upright as their EXIF says, which VGGT does not
  // How pictures become frames (image/picture_rules.h); none: as the model's family does it.
  std::optional<PictureRule> picture_rule = {};
  int image_size = 0;  // the rule's target, in pixels: whole patches; 0: the rule's own

  std::filesystem::path weights = {};  // empty: the bundled demonstration model
  std::string weights_key = {};        // which of several models in them; empty: the only one
  // Which of the families that have tensors of these names (model/families.h): "streamvggt"; empty:
  // the usual one.
  std::string family = {};
  std::optional<Precision> precision = {};  // none: the faster here
  std::vector<int64_t> layers = {};  // as the model counts them, from 1; in any order; empty: all

  bool heatmaps = true;                 // write the classic maps:
  int64_t stride_h = 1, stride_w = 1;   // of every stride-th grid row and column (from 1),
  bool save_per_head = false;           // of each head, or of their mean,
  bool compress = true;                 // deflated.
  std::vector<BlockKind> capture = {};  // write queries and keys of these; empty: none
  std::optional<PredictionOptions> geometry = {};  // none: nothing is predicted

  // Cameras and depth of the pictures (geometry/given_geometry.h), for the export's geometry/, in
  // place of predicted ones; empty: none.
  std::filesystem::path geometry_from = {};

  std::string image_set_name = "pictures";  // how the export calls what it shows
  std::filesystem::path output = {};        // the folder of the export; must be given
  bool overwrite = false;                   // replace the export that is there
};

// An option has a value that no job can have, or that this model or processor has not. where()
// names the option, and the value if that is one of several words: "`precision` bf16".
class OptionError : public Error {
 public:
  OptionError(const std::string& option, const std::string& what, const std::string& hint = "",
              const std::string& value = "")
      : Error(what, '`' + option + '`' + (value.empty() ? "" : ' ' + value), hint),
        option_(option) {}

  // The field of CaptureOptions.
  const std::string& option() const { return option_; }

 private:
  std::string option_;
};

// Throws OptionError for strides that there cannot be.
inline void CheckStrides(int64_t stride_h, int64_t stride_w) {
  constexpr int64_t kMost = 1'000'000;  // that readers take (formats/json.h)
  for (const auto& [option, stride] : {std::pair{"stride_h", stride_h}, {"stride_w", stride_w}}) {
    if (stride >= 1 && stride <= kMost) continue;
    throw OptionError(option, std::to_string(stride) + " is no stride", "Give 1 or more.");
  }
}

// "1 to 24", "2, 4, 6 to 36": ascending numbers in words.
std::string NumbersText(const std::vector<int64_t>& numbers);

// Of options.layers, one that is no layer of the model, or none that is recorded.
class LayerError : public OptionError {
 public:
  // `layers`: those that there are, ascending.
  LayerError(int64_t layer, const std::vector<int64_t>& layers)
      : OptionError("layers", "there is no layer " + std::to_string(layer) +
                                  " in this model, which has " + NumbersText(layers)),
        layer_(layer),
        layers_(NumbersText(layers)) {}

  int64_t layer() const { return layer_; }
  const std::string& layers() const { return layers_; }  // in words: "1 to 24"

 private:
  int64_t layer_;
  std::string layers_;
};

}  // namespace vggt
