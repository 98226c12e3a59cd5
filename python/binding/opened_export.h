// SPDX-License-Identifier: Apache-2.0
// An export that Python has opened.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "attention/attention_rows.h"
#include "figure/recipe_plan.h"
#include "store/export/export_version.h"

namespace vggt::python {

// Any number of threads may use one at the same time.
class OpenedExport {
 public:
  // Throws like OpenExport.
  explicit OpenedExport(const std::filesystem::path& path) : path_(path), opened_(path) {}

  const std::filesystem::path& path() const { return path_; }
  std::string name() const { return opened_.source().name; }
  const Export& described() const { return opened_.source().described; }
  // Throws Error if another export has taken the place of this one, so that no answer is of both.
  void CheckCurrent() const;
  // Throw Error like CheckCurrent.
  RecipeSource source() const;
  // Throws Error saying why there are none, too.
  const AttentionRows& rows() const;
  const QkStore& store() const { return rows().store(); }

  // Of one layer: its kind of blocks, and its place in their layers.
  struct Place {
    const QkBlocks& blocks;
    size_t layer;
  };
  // `block`: a kind's name; absent: the first that is stored. `layer`: its number, from 1. Throws
  // RequestError.
  Place PlaceOf(const std::optional<std::string>& block, int64_t layer) const;

 private:
  std::filesystem::path path_;
  RecipeExport opened_;
  std::vector<DescribingFile> files_ = DescribingFiles(described());
};

}  // namespace vggt::python
