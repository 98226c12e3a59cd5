// SPDX-License-Identifier: Apache-2.0
#include "ops/tile_unit.h"

#include <bit>
#include <cstring>

#include "core/error.h"

namespace vggt {
namespace {

[[noreturn]] void Fault(const char* what) { throw Error(what, "matrix tiles"); }

// Zero in place of a denormal number. Inlined in builds with sanitizers, too, whose tests take most
// of their time here.
[[gnu::always_inline]] inline float Flushed(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits & 0x7F800000U) != 0 ? bits : bits & 0x80000000U);
}

[[gnu::always_inline]] inline float Lower(uint32_t pair) {
  return Flushed(std::bit_cast<float>(pair << 16));
}
[[gnu::always_inline]] inline float Upper(uint32_t pair) {
  return Flushed(std::bit_cast<float>(pair & 0xFFFF0000U));
}

// fma(a, b, c) for values of bfloat16 a and b. Their product has 16 bits and is exact in double;
// where the sum is not, it is too far from the middle between two floats for the second rounding
// to go another way.
[[gnu::always_inline]] inline float AddProduct(float a, float b, float c) {
  return static_cast<float>(static_cast<double>(a) * static_cast<double>(b) +
                            static_cast<double>(c));
}

}  // namespace

void ModelTiles::Configure(const TileConfig& config) {
  if (config.palette != 1) Fault("palette that does not exist");
  for (const uint8_t byte : config.reserved) {
    if (byte != 0) Fault("reserved byte that is not zero");
  }
  for (int i = 0; i < 16; ++i) {
    const int rows = config.rows[i], bytes = config.row_bytes[i];
    if (rows > kTileRows || bytes > kTileRowBytes) Fault("tile that is too large");
    if ((rows == 0) != (bytes == 0)) Fault("tile without rows or columns");
    if (i >= kTileRegisters && rows != 0) Fault("register that does not exist");
  }
  config_ = config;
  configured_ = true;
  std::memset(tiles_, 0, sizeof(tiles_));
}

void ModelTiles::Release() {
  configured_ = false;
  std::memset(tiles_, 0, sizeof(tiles_));
}

void ModelTiles::Check(int tile) const {
  if (!configured_ || config_.rows[tile] == 0) Fault("register that is not configured");
  if (config_.row_bytes[tile] % 4 != 0) Fault("row that does not end with an element");
}

void ModelTiles::Zero(int tile) {
  Check(tile);
  tiles_[tile] = {};
}

void ModelTiles::Load(int tile, const void* from, int64_t stride) {
  Check(tile);
  Tile loaded{};
  for (int r = 0; r < config_.rows[tile]; ++r) {
    std::memcpy(loaded.row[r], static_cast<const char*>(from) + r * stride,
                config_.row_bytes[tile]);
  }
  tiles_[tile] = loaded;
}

void ModelTiles::Store(int tile, void* to, int64_t stride) const {
  Check(tile);
  for (int r = 0; r < config_.rows[tile]; ++r) {
    std::memcpy(static_cast<char*>(to) + r * stride, tiles_[tile].row[r], config_.row_bytes[tile]);
  }
}

void ModelTiles::AddProducts(int c, int a, int b) {
  for (const int tile : {c, a, b}) Check(tile);
  if (c == a || c == b || a == b) Fault("product of a register with itself");
  const int rows = config_.rows[c], depth = config_.rows[b], columns = config_.row_bytes[c] / 4;
  if (rows != config_.rows[a] || depth != config_.row_bytes[a] / 4 ||
      columns != config_.row_bytes[b] / 4) {
    Fault("product of tiles that do not fit");
  }
  Tile result{};
  for (int m = 0; m < rows; ++m) {
    float lower[kTileElements] = {}, upper[kTileElements] = {};
    for (int k = 0; k < depth; ++k) {
      const uint32_t pair = tiles_[a].row[m][k];
      const float pair_lower = Lower(pair), pair_upper = Upper(pair);
      const uint32_t* other = tiles_[b].row[k];
      for (int n = 0; n < columns; ++n) {
        lower[n] = Flushed(AddProduct(pair_lower, Lower(other[n]), lower[n]));
        upper[n] = Flushed(AddProduct(pair_upper, Upper(other[n]), upper[n]));
      }
    }
    for (int n = 0; n < columns; ++n) {
      const float before = Flushed(std::bit_cast<float>(tiles_[c].row[m][n]));
      const float sum = Flushed(before + Flushed(lower[n] + upper[n]));
      result.row[m][n] = std::bit_cast<uint32_t>(sum);
    }
  }
  tiles_[c] = result;
}

}  // namespace vggt
