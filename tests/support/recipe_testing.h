// SPDX-License-Identifier: Apache-2.0
// Recipes of two small exports.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "export_testing.h"
#include "figure/recipe_plan.h"
#include "qk_store_testing.h"

namespace vggt::testing {

// A and B, in dir_/a and dir_/b: 3 frames of 25×37 patches; the same maps of 9×10 cells in 3 layers
// of 4 heads; and stores of global layers 1 and 5 with 3 heads, of which B has A's in another
// order.
class TwoExports : public ::testing::Test {
 protected:
  // `sources`: what the stores say of their frames.
  explicit TwoExports(const std::vector<PictureSource>& sources = {}) {
    for (const char* name : {"a", "b"}) {
      const std::filesystem::path folder = CopyExport(dir_, "conv_per_head", name);
      QkDescription d = SmallQkDescription(3, 25, 37);
      d.sources = sources;
      const std::filesystem::path description = WriteQkStore(folder, d);
      if (std::string(name) == "a") continue;
      std::swap(d.blocks[0].layers[0].file, d.blocks[0].layers[1].file);
      WriteFileAtomic(description, QkDescriptionText(d));
    }
    Open();
  }

  void Open() {
    a_ = std::make_unique<RecipeExport>(dir_ / "a");
    b_ = std::make_unique<RecipeExport>(dir_ / "b");
  }

  // With `both`, B is the recipe's `other`.
  RecipePlan Plan(RecipeWords words, bool both = false) const {
    words.insert(words.begin(), {"export", "a"});
    if (both) words.insert(words.begin(), {"other", "b"});
    const RecipeSource b = b_->source();
    return PlanRecipe(ReadRecipe(words), a_->source(), both ? &b : nullptr);
  }

  TestDir dir_;
  std::unique_ptr<RecipeExport> a_, b_;
};

}  // namespace vggt::testing
