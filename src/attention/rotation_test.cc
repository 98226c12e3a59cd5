// SPDX-License-Identifier: Apache-2.0
#include "attention/rotation.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/parallel.h"
#include "ops/reference.h"

namespace vggt {
namespace {

QkBlocks RotatedBlocks(int64_t head_dim, double base, int64_t first_patch) {
  QkBlocks blocks;
  blocks.heads = 1;
  blocks.head_dim = head_dim;
  blocks.special_tokens = {"camera", "register_1"};
  blocks.rope = {RopeType::k2d, base, first_patch};
  return blocks;
}

TEST(RowRotation, PlacesTokens) {
  const QkBlocks blocks = RotatedBlocks(8, 100, 1);
  const TokenGrid grid{2, 2, 2, 3};
  const auto at = [&](int64_t token) {
    const TokenPosition p = PositionOf(blocks, grid, token);
    return std::pair{p.y, p.x};
  };
  EXPECT_EQ(at(0), std::pair(0, 0));
  EXPECT_EQ(at(1), std::pair(0, 0));
  EXPECT_EQ(at(2), std::pair(1, 1));
  EXPECT_EQ(at(4), std::pair(1, 3));
  EXPECT_EQ(at(7), std::pair(2, 3));
}

TEST(RowRotation, HasATableWhereThereIsSomethingToRotate) {
  QkBlocks blocks = RotatedBlocks(8, 100, 1);
  const TokenGrid grid{2, 2, 2, 3};
  EXPECT_NE(RotationTable(blocks, grid, false), nullptr);
  EXPECT_EQ(RotationTable(blocks, grid, true), nullptr);
  for (const RopeType type : {RopeType::kNone, RopeType::kApplied}) {
    blocks.rope.type = type;
    EXPECT_EQ(RotationTable(blocks, grid, false), nullptr);
  }
}

// Any tokens in any order, as many as several threads take: each as the slow way turns it.
TEST(RowRotation, TurnsTheRowsThatWereAskedFor) {
  const QkBlocks blocks = RotatedBlocks(12, 100, 1);
  const TokenGrid grid{9, 2, 4, 5};
  std::vector<uint16_t> stored;
  for (int64_t i = 0; i < grid.tokens() * blocks.head_dim; ++i) {
    stored.push_back(F32ToF16(0.1F * static_cast<float>(i % 31) - 1.5F));
  }
  std::vector<int64_t> tokens;
  for (int64_t t = grid.tokens() - 1; t >= 0; t -= 1) tokens.push_back(t);
  const int before = ThreadCount();
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    for (const bool before_rope : {false, true}) {
      const RowRotation rotation(blocks, grid, before_rope);
      const FloatBuffer got = rotation.Rotated(stored.data(), tokens);
      for (size_t i = 0; i < tokens.size(); ++i) {
        std::vector<float> expected;
        for (int64_t c = 0; c < blocks.head_dim; ++c) {
          expected.push_back(F16ToF32(stored[tokens[i] * blocks.head_dim + c]));
        }
        const TokenPosition at = PositionOf(blocks, grid, tokens[i] % grid.tokens_per_frame());
        const int32_t position[] = {at.y, at.x};
        if (!before_rope) {
          reference::Rope(1, 1, blocks.head_dim, blocks.head_dim, position, expected.data());
        }
        for (int64_t c = 0; c < blocks.head_dim; ++c) {
          ASSERT_NEAR(got[static_cast<int64_t>(i) * blocks.head_dim + c], expected[c], 1e-6)
              << "token " << tokens[i];
        }
      }
    }
  }
  SetThreadCount(before);
}

float Dot(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The products are those of queries and keys that were both rotated.
TEST(RelativeRotation, GivesTheProductsOfRotatedKeys) {
  const int64_t dim = 16, height = 3, width = 4;
  std::vector<float> query, key;
  for (int i = 0; i < dim; ++i) {
    query.push_back(0.3F * static_cast<float>(i % 5) - 0.4F);
    key.push_back(0.2F * static_cast<float>(i % 7) - 0.5F);
  }
  const QkBlocks blocks = RotatedBlocks(dim, 100, 1);
  const TokenGrid grid{1, blocks.specials(), height, width};
  RelativeRotation rotation(blocks, grid, RotationTable(blocks, grid, false));
  const auto rotated = [&](std::vector<float> x, TokenPosition at) {
    const int32_t position[] = {at.y, at.x};
    reference::Rope(1, 1, dim, dim, position, x.data());
    return x;
  };
  for (int64_t token = 0; token < grid.tokens(); ++token) {
    const TokenPosition at = PositionOf(blocks, grid, token);
    const std::vector<float> turned = rotated(query, at);
    rotation.Set(query.data(), at);
    const std::vector<float> special(rotation.special(), rotation.special() + dim);
    EXPECT_NEAR(Dot(special, key), Dot(turned, key), 1e-5);
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        std::vector<float> x(rotation.row(r), rotation.row(r) + dim / 2);
        const float* column = rotation.columns() + c * dim / 2;
        x.insert(x.end(), column, column + dim / 2);
        const std::vector<float> other =
            rotated(key, PositionOf(blocks, grid, grid.patch(0, r, c)));
        EXPECT_NEAR(Dot(x, key), Dot(turned, other), 1e-5) << token << " to " << r << ", " << c;
      }
    }
  }
}

TEST(RelativeRotation, LeavesTheQueryWhereThereIsNone) {
  QkBlocks blocks = RotatedBlocks(5, 100, 1);  // of an odd number of channels, too
  const std::vector<float> query = {1, 2, 3, 4, 5};
  const TokenGrid grid{1, 2, 2, 3};
  RelativeRotation rotation(blocks, grid, nullptr);
  rotation.Set(query.data(), PositionOf(blocks, grid, 5));
  EXPECT_EQ(std::vector(rotation.special(), rotation.special() + 5), query);
  EXPECT_EQ(std::vector(rotation.row(1), rotation.row(1) + 2), (std::vector<float>{1, 2}));
  EXPECT_EQ(std::vector(rotation.columns() + 6, rotation.columns() + 9),
            (std::vector<float>{3, 4, 5}));
}

}  // namespace
}  // namespace vggt
