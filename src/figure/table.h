// SPDX-License-Identifier: Apache-2.0
// Numbers to take away: CSV of one form, whatever they come from, and .npy.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "core/tensor.h"
#include "figure/recipe_plan.h"

namespace vggt {

// Takes the next piece of a file.
using PieceSink = std::function<void(std::string_view)>;

// CSV (RFC 4180, with plain line ends): one line that names the columns, then one for each value.
//   scene       the name of the image set
//   definition  what the values are: "stored", "model", "cosine, before RoPE"
//   query       the place that was asked for, as links write it (figure/spot.h): "2~12.18"
//   layer       its number, from 1
//   head        its number from 1, "mean" or "max"
//   frame       whose tokens these are, from 0
//   file, time  what the frame was taken from, and its place in that video in seconds; empty if
//               they are not known
//   token       "patch", or a special token's name
//   row, col    the patch's (of stored maps: the map cell's), from 0; empty for special tokens
//   value       9 digits, which tell any two float32 apart; "nan" where the query does not attend
// Names that a spreadsheet would compute, because they begin with =, +, - or @, have "./" before
// them.
std::string TableHeader();

// What stands before the values of one frame.
struct TableFrame {
  std::string scene, definition, query;
  int64_t layer = 0;
  std::string head;
  int64_t frame = 0;
  const PictureSource* source = nullptr;  // null if it is not known
  std::span<const std::string> special_tokens;
  int64_t cols = 0;  // of a map
};

// The lines of a frame's tokens: as many special tokens as have names, then the map row by row.
std::string TableLines(const TableFrame& frame, std::span<const float> tokens);

// The names that a recipe's exports have in tables: of A, of B if there is one, and of their
// difference if there is one, "a − b". Where A and B are of the same scene, the names of their
// folders (FolderNames) stand behind: "kitchen (bf16)".
std::vector<std::string> SceneNames(const RecipePlan& plan);

// All maps on show of a recipe: of each export, and of their difference, the queries; of each query
// the layers, heads and frames. Both read a layer of one query at a time, throw like
// ReadLayerValues, and ask `stop_check` as often.

// With the special tokens of exact maps.
void WriteTableCsv(const RecipePlan& plan, const PieceSink& write, const StopCheck& stop_check);

// float32 [layers, heads, frames, rows, cols]; before that an axis of queries if there are several,
// and before that one of exports if there is a B: A, B, and A − B if that was asked for.
void WriteTableNpy(const RecipePlan& plan, const PieceSink& write, const StopCheck& stop_check);

// What WriteTableNpy writes. Throws RequestError if two exports do not fit one array.
Shape TableShape(const RecipePlan& plan);
// How many lines WriteTableCsv writes, without the first. In double: what an export claims may be
// more than numbers hold.
double TableLineCount(const RecipePlan& plan);

}  // namespace vggt
