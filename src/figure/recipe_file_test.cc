// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_file.h"

#include <gmock/gmock.h>

#include "figure/table.h"
#include "formats/npy.h"
#include "recipe_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RecipeFileTest : public testing::TwoExports {
 protected:
  std::string Written(const std::string& name) {
    WriteRecipeFile(Plan({{"queries", "1.2"}, {"definition", "model"}}), dir_ / name,
                    {.existing = Existing::kRefuse}, "a program");
    return ReadFile(dir_ / name, 1 << 24);
  }
};

TEST_F(RecipeFileTest, TheNameSaysWhichKindOfFile) {
  EXPECT_THAT(Written("a.png"), StartsWith("\x89PNG"));
  EXPECT_THAT(Written("a.svg"), HasSubstr("<svg"));
  EXPECT_THAT(Written("a.pdf"), StartsWith("%PDF-"));
  EXPECT_THAT(Written("a.csv"), StartsWith("scene,"));
  const std::string npy = Written("a.npy");
  EXPECT_EQ(ParseNpy(BytesOf(npy), "a.npy").shape,
            TableShape(Plan({{"queries", "1.2"}, {"definition", "model"}})));
  for (const char* format : {"png", "svg", "pdf", "csv", "npy"})
    EXPECT_TRUE(IsRecipeFormat(format));
  EXPECT_FALSE(IsRecipeFormat("gif"));
}

TEST_F(RecipeFileTest, OtherNamesAndExistingFilesAreRefused) {
  EXPECT_THAT(ErrorOf([&] { Written("a.gif"); }), HasSubstr("ends in none of .png"));
  EXPECT_THAT(ErrorOf([&] { Written("plain"); }), HasSubstr("ends in none of .png"));
  Written("a.csv");
  EXPECT_THAT(ErrorOf([&] { Written("a.csv"); }), HasSubstr("exists already"));
}

}  // namespace
}  // namespace vggt
