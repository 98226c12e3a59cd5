// SPDX-License-Identifier: Apache-2.0
#include "ops/tile_unit.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"
#include "ops/amx.h"

namespace vggt {
namespace {

uint32_t Pair(float lower, float upper) {
  return F32ToBF16(lower) | uint32_t{F32ToBF16(upper)} << 16;
}

float Lower(uint32_t pair) { return BF16ToF32(static_cast<uint16_t>(pair)); }
float Upper(uint32_t pair) { return BF16ToF32(static_cast<uint16_t>(pair >> 16)); }

// C [rows, columns], A [rows, depth], B [depth, columns].
TileConfig Extents(int rows, int depth, int columns) {
  TileConfig config = TileConfig::Full();
  config.rows[0] = config.rows[1] = static_cast<uint8_t>(rows);
  config.rows[2] = static_cast<uint8_t>(depth);
  config.row_bytes[0] = config.row_bytes[2] = static_cast<uint16_t>(4 * columns);
  config.row_bytes[1] = static_cast<uint16_t>(4 * depth);
  return config;
}

struct Matrix {
  alignas(64) uint32_t row[kTileRows][kTileElements] = {};
  float Float(int r, int c) const { return std::bit_cast<float>(row[r][c]); }
};

// C + A · B by the tiles, with the extents of `config` for C, A and B in registers 0, 1 and 2.
template <typename Tiles>
Matrix AddProductsOn(const TileConfig& config, const Matrix& c, const Matrix& a, const Matrix& b) {
  Matrix result;
  Tiles tiles;
  tiles.Configure(config);
  tiles.template Load<0>(&c, kTileRowBytes);
  tiles.template Load<1>(&a, kTileRowBytes);
  tiles.template Load<2>(&b, kTileRowBytes);
  tiles.template AddProducts<0, 1, 2>();
  tiles.template Store<0>(&result, kTileRowBytes);
  tiles.Release();
  return result;
}

// By the model. Where the processor has tiles, it must give the same bits.
Matrix AddProducts(const TileConfig& config, const Matrix& c, const Matrix& a, const Matrix& b) {
  const Matrix result = AddProductsOn<ModelTiles>(config, c, a, b);
#if defined(__x86_64__)
  if (HasAmx()) {
    const Matrix got = AddProductsOn<ProcessorTiles>(config, c, a, b);
    EXPECT_EQ(std::memcmp(&got, &result, sizeof(Matrix)), 0);
  }
#endif
  return result;
}

Matrix RandomPairs(std::mt19937& generator, float spread) {
  std::normal_distribution<float> normal(0, spread);
  Matrix matrix;
  for (auto& row : matrix.row) {
    for (uint32_t& x : row) x = Pair(normal(generator), normal(generator));
  }
  return matrix;
}

Matrix RandomFloats(std::mt19937& generator, float spread) {
  std::normal_distribution<float> normal(0, spread);
  Matrix matrix;
  for (auto& row : matrix.row) {
    for (uint32_t& x : row) x = std::bit_cast<uint32_t>(normal(generator));
  }
  return matrix;
}

TEST(TileUnitTest, AddsTheProductsOfBothHalvesInAnyExtents) {
  std::mt19937 generator(3);
  for (const float spread : {1e-18F, 1e-3F, 1.0F, 1e17F}) {
    for (int i = 0; i < 200; ++i) {
      const Matrix a = RandomPairs(generator, spread), b = RandomPairs(generator, spread);
      const Matrix c = RandomFloats(generator, spread * spread);
      const int rows = 1 + i % 16, depth = 1 + i / 3 % 16, columns = 1 + i / 5 % 16;
      const Matrix got = AddProducts(Extents(rows, depth, columns), c, a, b);
      for (int m = 0; m < kTileRows; ++m) {
        for (int n = 0; n < kTileElements; ++n) {
          if (m >= rows || n >= columns) {
            ASSERT_EQ(got.row[m][n], 0U);
            continue;
          }
          double sum = c.Float(m, n);
          for (int k = 0; k < depth; ++k) {
            sum += double{Lower(a.row[m][k])} * Lower(b.row[k][n]);
            sum += double{Upper(a.row[m][k])} * Upper(b.row[k][n]);
          }
          // Rounding, and 66 numbers that may have been denormal.
          ASSERT_NEAR(got.Float(m, n), sum, 1e-5 * spread * spread + 66 * 0x1p-126);
        }
      }
    }
  }
}

// Cases in which every other order or rounding gives another result.
TEST(TileUnitTest, RoundsInTheDocumentedOrder) {
  Matrix a, b, c;
  // Even terms: 2^24 and 1, which is lost by rounding to even; odd terms: 1 and -2^24, which give
  // -2^24 + 1 exactly. Their sum is 1; the eight of C is added last.
  c.row[0][0] = std::bit_cast<uint32_t>(8.0F);
  a.row[0][0] = Pair(0x1p24F, 1);
  a.row[0][1] = Pair(1, -0x1p24F);
  b.row[0][0] = b.row[1][0] = Pair(1, 1);
  EXPECT_EQ(AddProducts(TileConfig::Full(), c, a, b).Float(0, 0), 9.0F);
  // C is added to the sum, not to each product: 2^24 + (1 + 1), not (2^24 + 1) + 1.
  c.row[0][0] = std::bit_cast<uint32_t>(0x1p24F);
  a.row[0][0] = a.row[0][1] = Pair(1, 0);
  EXPECT_EQ(AddProducts(TileConfig::Full(), c, a, b).Float(0, 0), 0x1p24F + 2);
}

TEST(TileUnitTest, DenormalNumbersAreZeros) {
  Matrix a, b, c;
  b.row[0][0] = Pair(1, 1);
  a.row[0][0] = 1;  // the smallest bfloat16
  EXPECT_EQ(AddProducts(TileConfig::Full(), c, a, b).row[0][0], 0U);
  b.row[0][0] = Pair(0x1p-100F, 0);
  a.row[0][0] = Pair(0x1p-40F, 0);  // a product of 2^-140
  EXPECT_EQ(AddProducts(TileConfig::Full(), c, a, b).row[0][0], 0U);
  c.row[0][0] = 1;  // the smallest float32
  EXPECT_EQ(AddProducts(TileConfig::Full(), c, a, b).row[0][0], 0U);
}

template <typename Tiles>
void LoadAndStore() {
  std::vector<uint32_t> memory(16 * 40), copy(16 * 24);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<uint32_t>(i);
  Tiles tiles;
  tiles.Configure(TileConfig::Full());
  tiles.template Load<3>(memory.data(), 40 * 4);
  tiles.template Store<3>(copy.data(), 24 * 4);
  for (size_t r = 0; r < 16; ++r) {
    for (size_t i = 0; i < 24; ++i) EXPECT_EQ(copy[r * 24 + i], i < 16 ? memory[r * 40 + i] : 0);
  }
  tiles.template Zero<3>();
  tiles.template Store<3>(copy.data(), 64);
  tiles.Release();
  EXPECT_EQ(std::vector<uint32_t>(copy.begin(), copy.begin() + 256), std::vector<uint32_t>(256));
}

TEST(TileUnitTest, LoadsAndStoresWithAnyStride) {
  LoadAndStore<ModelTiles>();
#if defined(__x86_64__)
  if (HasAmx()) LoadAndStore<ProcessorTiles>();
#endif
}

TEST(TileUnitTest, TheModelRefusesWhatTheProcessorRefuses) {
  Matrix m;
  ModelTiles tiles;
  EXPECT_THROW(tiles.Load<0>(&m, 64), Error);  // nothing configured
  TileConfig config = TileConfig::Full();
  config.palette = 2;
  EXPECT_THROW(tiles.Configure(config), Error);
  config = TileConfig::Full();
  config.reserved[5] = 1;
  EXPECT_THROW(tiles.Configure(config), Error);
  config = TileConfig::Full();
  config.rows[1] = 17;
  EXPECT_THROW(tiles.Configure(config), Error);
  config = TileConfig::Full();
  config.rows[1] = 0;
  EXPECT_THROW(tiles.Configure(config), Error);
  config.row_bytes[1] = 0;
  tiles.Configure(config);
  EXPECT_THROW(tiles.Load<1>(&m, 64), Error);
  tiles.Load<0>(&m, 64);
  EXPECT_THROW((tiles.AddProducts<0, 2, 2>()), Error);
  config = TileConfig::Full();
  config.rows[2] = 8;
  tiles.Configure(config);
  EXPECT_THROW((tiles.AddProducts<0, 3, 2>()), Error);
  tiles.Release();
  EXPECT_THROW(tiles.Store<0>(&m, 64), Error);
}

}  // namespace
}  // namespace vggt
