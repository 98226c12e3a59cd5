// SPDX-License-Identifier: Apache-2.0
// Where the tokens of several pictures stand in one sequence: the fact on which every index of a
// row or column of attention depends.
#pragma once

#include <cstdint>

namespace vggt {

// The tokens of frame 0, then those of frame 1, and so on. A frame's tokens are its special tokens
// (camera and registers, or cls and registers), then its patches, grid row by grid row. After all
// frames come the tokens that belong to none (the scale token of MapAnything).
struct TokenGrid {
  int64_t frames = 0;
  int64_t special_tokens = 0;  // of each frame
  int64_t height = 0;          // grid rows: patches from top to bottom
  int64_t width = 0;           // grid columns: patches from left to right
  int64_t scene_tokens = 0;    // of no frame

  int64_t patches() const { return height * width; }  // of each frame
  int64_t tokens_per_frame() const { return special_tokens + patches(); }
  int64_t tokens() const { return first_scene_token() + scene_tokens; }
  int64_t all_specials() const { return frames * special_tokens + scene_tokens; }

  // The place in the sequence of a frame's first token, of its first patch, of any patch, and of
  // the first token of no frame.
  int64_t first_token(int64_t frame) const { return frame * tokens_per_frame(); }
  int64_t first_patch(int64_t frame) const { return first_token(frame) + special_tokens; }
  int64_t patch(int64_t frame, int64_t row, int64_t column) const {
    return first_patch(frame) + row * width + column;
  }
  int64_t first_scene_token() const { return first_token(frames); }

  // Of a place in the sequence: whether the token belongs to no frame; whether it is no patch.
  bool is_scene_token(int64_t token) const { return token >= first_scene_token(); }
  bool is_special(int64_t token) const {
    return is_scene_token(token) || token % tokens_per_frame() < special_tokens;
  }

  bool operator==(const TokenGrid&) const = default;
};

}  // namespace vggt
