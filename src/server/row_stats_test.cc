// SPDX-License-Identifier: Apache-2.0
#include "server/row_stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "attention/request_words.h"
#include "formats/npy.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::TestDir;

// Whether the query's block lets it meet the frame.
bool Meets(const QkBlocks& blocks, const AttentionRequest& request, int64_t frame) {
  return blocks.attends == Attends::kAll || frame == request.frame;
}

// Least, 99th percentile and largest, from all values in order.
std::vector<double> Sorted(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  const float p99 = values[static_cast<size_t>(std::ceil(static_cast<double>(99 * (n - 1)) / 100))];
  return {values.front(), p99 == 0 ? values.back() : p99, values.back()};
}

// The same by way of all values of all frames, each looked at by itself.
void CompareWithSlow(const AttentionRows& rows, const AttentionRequest& request,
                     const RowStats& stats) {
  const QkDescription& d = rows.store().description();
  const QkBlocks& blocks = *d.Find(request.kind);
  AttentionRequest whole_request = request;
  whole_request.frames = Range(0, static_cast<size_t>(d.frames));
  const AttentionAnswer whole = rows.Answer(whole_request);
  std::vector<double> of_heads, masses;
  std::vector<float> all;
  for (int64_t l = 0; l < whole.shape[0]; ++l) {
    for (int64_t h = 0; h < whole.shape[1]; ++h) {
      std::vector<float> met;
      for (int64_t f = 0; f < whole.shape[2]; ++f) {
        double mass = 0;
        for (int64_t t = blocks.specials(); t < whole.shape[3]; ++t) {
          const float value = whole.Tokens(l, h, f)[static_cast<size_t>(t)];
          mass += value;
          if (Meets(blocks, request, f)) met.push_back(value);
        }
        masses.push_back(IsProbability(request.definition) ? mass : NAN);
      }
      const std::vector<double> sorted = Sorted(met);
      of_heads.insert(of_heads.end(), sorted.begin(), sorted.end());
      all.insert(all.end(), met.begin(), met.end());
    }
  }
  EXPECT_EQ(stats.of_heads, of_heads);
  EXPECT_EQ(stats.of_all, Sorted(all));
  ASSERT_EQ(stats.masses.size(), masses.size());
  for (size_t i = 0; i < masses.size(); ++i) {
    EXPECT_EQ(std::isnan(stats.masses[i]), std::isnan(masses[i])) << i;
    EXPECT_TRUE(std::isnan(masses[i]) || std::abs(stats.masses[i] - masses[i]) < 1e-14) << i;
  }
}

void ExpectSameAnswer(const AttentionAnswer& a, const AttentionAnswer& b) {
  ASSERT_EQ(a.shape, b.shape);
  EXPECT_EQ(a.special_tokens, b.special_tokens);
  EXPECT_EQ(a.dropped, b.dropped);
  EXPECT_EQ(std::memcmp(a.values.data(), b.values.data(),
                        static_cast<size_t>(NumElements(a.shape)) * sizeof(float)),
            0);
}

TEST(RowStats, OverAllFramesThatTheQueryMeets) {
  const TestDir dir;
  const QkDescription d = testing::SmallQkDescription(4, 9, 10);
  const AttentionRows rows(testing::WriteQkStore(dir.path(), d));
  for (const QkBlocks& blocks : d.blocks) {
    for (const DefinitionInfo& info : Definitions()) {
      for (const bool incoming : {false, true}) {
        AttentionRequest request;
        request.kind = blocks.kind;
        request.definition = info.definition;
        request.incoming = incoming;
        request.layers = Range<size_t>(0, blocks.layers.size());
        request.heads = {2, 1};
        request.frame = 1;
        request.tokens = {7, 30};
        for (const std::vector<int>& frames : {std::vector<int>{0}, {3, 1}, {0, 1, 2, 3}}) {
          request.frames = frames;
          for (const HeadReduction reduction :
               {HeadReduction::kNone, HeadReduction::kMean, HeadReduction::kMax}) {
            SCOPED_TRACE(std::string(BlockKindName(blocks.kind)) + " " + info.name);
            request.reduction = reduction;
            // All layers at once, and one at a time.
            for (const size_t most_bytes : {kMostAnswerBytes, size_t{1}}) {
              const auto [answer, stats] = RowsWithStats(rows, request, {}, most_bytes);
              ExpectSameAnswer(answer, rows.Answer(request));
              CompareWithSlow(rows, request, stats);
            }
          }
        }
      }
    }
  }
}

TEST(RowStats, ThreeArraysBehindABody) {
  const RowStats stats = {
      std::vector<double>(2 * 3 * 3, 1), std::vector<double>(2 * 3 * 5, 2), {3, 4, 5}};
  std::string body;
  AppendStats(stats, {2, 3, 1, 14}, body);
  Bytes rest = testing::AsBytes(body);
  for (const auto& [shape, numbers] :
       {std::pair<Shape, std::vector<double>>{{2, 3, 3}, stats.of_heads},
        {{2, 3, 5}, stats.masses},
        {{3}, stats.of_all}}) {
    const NpyLayout layout =
        ParseNpyHeader(rest.first(std::min(rest.size(), kLongestNpyHeader)), "");
    const size_t end = layout.data + NpyDataSize(layout);
    const NpyArray array = ParseNpy(rest.first(end), "stats");
    EXPECT_EQ(array.descr, "<f8");
    EXPECT_EQ(array.shape, shape);
    EXPECT_EQ(std::memcmp(array.data.data(), numbers.data(), array.data.size()), 0);
    rest = rest.subspan(end);
  }
  EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace vggt
