// SPDX-License-Identifier: Apache-2.0
// Where an export comes from: which program made it, with which model.
#pragma once

#include <cstdint>
#include <string>

namespace vggt {

// Texts are empty and numbers 0 where a file does not say.
struct Provenance {
  std::string generator;   // "vggt-attn 0.1.0"
  std::string weights;     // file or name of the checkpoint
  std::string family;      // "VGGT-1B" or "VGGT architecture"
  std::string model_text;  // extents in words
  int64_t depth = 0, dim = 0, num_heads = 0;
  std::string precision;                              // "f32" or "bf16"
  int64_t image_width = 0, image_height = 0;          // what the model saw
  std::string definition = {}, definition_text = {};  // which kind of map; empty for a store
  std::string weights_key = {};  // of a checkpoint that holds several models, "ema.module"
};

}  // namespace vggt
