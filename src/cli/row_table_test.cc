// SPDX-License-Identifier: Apache-2.0
#include "cli/row_table.h"

#include <gmock/gmock.h>

#include <cmath>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Layer 5 of a store with two special tokens and 3×4 patches, two of three frames.
struct Example {
  Example() : description(testing::SmallQkDescription()) {
    request.layers = {1};
    request.heads = {3, 1};
    request.frames = {0, 2};
    request.frame = 1;
    request.tokens = {2 + 4 + 3};
    answer.shape = {1, 2, 2, 14};
    answer.values = FloatBuffer(56);
    for (int i = 0; i < 56; ++i) answer.values[i] = 0.5F * static_cast<float>(i);
  }
  std::string Csv() const {
    std::string text;
    WriteRowsCsv(request, "kitchen", description, description.blocks[0], answer,
                 [&](std::string_view more) { text += more; });
    return text;
  }
  std::string Summary() const {
    return SummaryHeader(request) +
           RowsSummary(request, description, description.blocks[0], answer);
  }

  QkDescription description;
  AttentionRequest request;
  AttentionAnswer answer;
};

TEST(RowTable, CsvHasALineForEachValue) {
  Example e;
  const std::string csv = e.Csv();
  EXPECT_THAT(csv, StartsWith("kitchen,model,1~1.3,5,3,0,,,camera,,,0\n"
                              "kitchen,model,1~1.3,5,3,0,,,register_1,,,0.5\n"
                              "kitchen,model,1~1.3,5,3,0,,,patch,0,0,1\n"));
  EXPECT_THAT(csv, HasSubstr("\nkitchen,model,1~1.3,5,1,2,,,patch,2,3,27.5\n"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 56);
}

TEST(RowTable, SaysWhatWasAsked) {
  Example e;
  e.request.frame = 0;
  e.request.tokens = {2 + 4 + 1, 2 + 4 + 2, 2 + 8 + 1, 2 + 8 + 2};
  e.request.definition = Definition::kCosine;
  e.request.before_rope = e.request.incoming = true;
  EXPECT_THAT(e.Csv(), StartsWith("kitchen,\"cosine, before RoPE, incoming\",1.1-2.2,5,3,0,"));
  e.request.tokens = {1};
  e.request.definition = Definition::kModel;
  e.request.before_rope = e.request.incoming = false;
  EXPECT_THAT(e.Csv(), StartsWith("kitchen,model,0.0@register_1,5,3,0,"));
}

TEST(RowTable, ReducedHeadsAreNamed) {
  Example e;
  e.request.reduction = HeadReduction::kMean;
  e.answer.shape[1] = 1;
  EXPECT_THAT(e.Csv(), HasSubstr(",5,mean,2,,,patch,2,3,13.5\n"));
  e.request.reduction = HeadReduction::kMax;
  EXPECT_THAT(e.Csv(), HasSubstr(",5,max,0,,,camera,,,0\n"));
}

TEST(RowTable, FramesAreNamedByTheirFiles) {
  Example e;
  e.description.sources = {{"a \"b\", c.png", {}}, {"b.png", {}}, {"tour.mp4", 12.48}};
  EXPECT_THAT(e.Csv(), HasSubstr(",5,3,0,\"a \"\"b\"\", c.png\",,camera,,,0\n"));
  EXPECT_THAT(e.Csv(), HasSubstr(",5,1,2,tour.mp4,12.48,patch,2,3,27.5\n"));
  EXPECT_THAT(e.Summary(), HasSubstr("6.5 (2, 3)   a \"b\", c.png\n"));
  EXPECT_THAT(e.Summary(), HasSubstr("   tour.mp4 at 12.48 s\n"));
}

TEST(RowTable, SummaryTellsSharesAndTheBestPatch) {
  Example e;
  EXPECT_THAT(e.Summary(), StartsWith("layer  head  frame   patches   special   best patch"));
  EXPECT_THAT(e.Summary(), HasSubstr("    5     3      0        45       0.5   6.5 (2, 3)\n"));
  e.request.definition = Definition::kLogits;
  EXPECT_THAT(e.Summary(), StartsWith("layer  head  frame   best patch (row, col)\n"));
  EXPECT_THAT(e.Summary(), HasSubstr("    5     3      0   6.5 (2, 3)\n"));
  e.answer.values[13] = 14.3513F;
  EXPECT_THAT(e.Summary(), HasSubstr("    5     3      0   14.4 (2, 3)\n"));
  e.answer.values[13] = 14.0001F;
  EXPECT_THAT(e.Summary(), HasSubstr("    5     3      0   14 (2, 3)\n"));
}

// Frames that the query cannot see, whatever stands for that in an answer.
TEST(RowTable, SummarySaysWhichFramesAreNotSeen) {
  for (const Definition definition : {Definition::kModel, Definition::kLogits}) {
    Example e;
    e.request.definition = definition;
    e.description.blocks[0].attends = Attends::kCausal;
    e.request.frame = 1;
    EXPECT_THAT(e.Summary(), HasSubstr(" (2, 3)\n    5     3      2   not attended to\n"));
    e.request.incoming = true;
    EXPECT_THAT(e.Summary(), HasSubstr("    5     3      0   not attended to\n"));
  }
}

}  // namespace
}  // namespace vggt
