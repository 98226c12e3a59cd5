// SPDX-License-Identifier: Apache-2.0
// Products of float32 on the matrix tiles of AMX, which multiply bfloat16. Highway compiles this
// once per instruction set.
//
// A float32 has 24 significant bits and is the sum of three bfloat16 of 8 bits each: itself
// rounded, what is left of it rounded, and what is left then. The product of two such sums has nine
// terms. The three of them that are left out here are below 2^-25 of the product, so that what is
// lost is less than what float32 loses by rounding it. The other six take six products of tiles,
// together about a third of the time of float32's multiply-add in AVX-512.
//
// Vectors are packed in groups of 32. A group consists of its three parts, each of these of two
// halves of 16 vectors, and each of these of `depth` tiles of 32 channels. In the first factor a
// row of a tile is a vector; in the second one a column is.
#if defined(VGGT_KERNELS_FLOAT_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VGGT_KERNELS_FLOAT_TILES_INL_H_
#undef VGGT_KERNELS_FLOAT_TILES_INL_H_
#else
#define VGGT_KERNELS_FLOAT_TILES_INL_H_
#endif

#include "ops/attention_bf16-inl.h"
#include "ops/tile_unit.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// The tiles of this instruction set. Below AVX-512 there are none but the model.
#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX3
using BestTiles = ProcessorTiles;
#else
using BestTiles = ModelTiles;
#endif

// Loads the part of index kPart of floats: what PackKeys() takes as Factors.
template <int kPart>
struct Part {
  using Value = uint32_t;
  static constexpr int64_t kPerValue = 2;
  static HWY_INLINE VU Load(const float* x, int64_t count) {
    return Emulated::Join(Rest(LoadPart(x, count)), Rest(LoadPart(x + kLanes, count - kLanes)));
  }

 private:
  // x without the parts before kPart. Both subtractions are exact.
  static HWY_INLINE V Rest(V x) {
    for (int i = 0; i < kPart; ++i) {
      x = hn::Sub(x, hn::BitCast(d, hn::And(Rounded(x), hn::Set(du, 0xFFFF0000U))));
    }
    return x;
  }
};

template <int kPart>
void PackPartOfRow(const float* x, int64_t dim, int64_t depth, uint32_t* row) {
  for (int64_t pair = 0; pair < depth * kTileElements; pair += kLanes) {
    uint32_t* to = row + pair / kTileElements * at::kTileSize + pair % kTileElements;
    hn::StoreU(Part<kPart>::Load(x + 2 * pair, dim - 2 * pair), du, to);
  }
}

// Packs one vector of `dim` floats as row `row` of a group for the first factor.
inline void PackRow(const float* x, int64_t dim, int64_t depth, int64_t row, uint32_t* group) {
  const int64_t half = row / kTileRows, part = 2 * depth * at::kTileSize;
  uint32_t* to = group + half * depth * at::kTileSize + row % kTileRows * kTileElements;
  PackPartOfRow<0>(x, dim, depth, to);
  PackPartOfRow<1>(x, dim, depth, to + part);
  PackPartOfRow<2>(x, dim, depth, to + 2 * part);
}

// Packs `count` vectors of `dim` floats, `stride` floats apart, as one half of a group for the
// second factor: the `tiles` tiles from `first_tile` on. Columns beyond the 16 or `count` are
// zeros.
inline void PackColumns(const float* x, int64_t stride, int64_t count, int64_t dim, int64_t depth,
                        int64_t half, int64_t first_tile, int64_t tiles, uint32_t* group) {
  const int64_t part = 2 * depth * at::kTileSize, pairs = tiles * kTileElements;
  uint32_t* to = group + (half * depth + first_tile) * at::kTileSize;
  PackKeys<Part<0>, kTileElements>(x, stride, count, dim, pairs, to);
  PackKeys<Part<1>, kTileElements>(x, stride, count, dim, pairs, to + part);
  PackKeys<Part<2>, kTileElements>(x, stride, count, dim, pairs, to + 2 * part);
}

// Registers 4 and 5 = part kPart of both halves of a group's i-th tiles; 6 and 7 likewise.
template <int kPart, class Tiles>
HWY_INLINE void LoadRows(Tiles& tiles, const uint32_t* group, int64_t depth, int64_t i) {
  const uint32_t* from = group + (2 * kPart * depth + i) * at::kTileSize;
  tiles.template Load<4>(from, kTileRowBytes);
  tiles.template Load<5>(from + depth * at::kTileSize, kTileRowBytes);
}

template <int kPart, class Tiles>
HWY_INLINE void LoadColumns(Tiles& tiles, const uint32_t* group, int64_t depth, int64_t i) {
  const uint32_t* from = group + (2 * kPart * depth + i) * at::kTileSize;
  tiles.template Load<6>(from, kTileRowBytes);
  tiles.template Load<7>(from + depth * at::kTileSize, kTileRowBytes);
}

template <class Tiles>
HWY_INLINE void AddFourProducts(Tiles& tiles) {
  tiles.template AddProducts<0, 4, 6>();
  tiles.template AddProducts<1, 4, 7>();
  tiles.template AddProducts<2, 5, 6>();
  tiles.template AddProducts<3, 5, 7>();
}

// out[r · stride + c] = row r · column c, for r, c < 32. The tiles must be configured in full size.
// The order of parts is one in which each step loads one factor only, and which takes the largest
// products last.
template <class Tiles>
void MultiplyFloatTiles(Tiles& tiles, int64_t depth, const uint32_t* rows, const uint32_t* columns,
                        float* out, int64_t stride) {
  tiles.template Zero<0>();
  tiles.template Zero<1>();
  tiles.template Zero<2>();
  tiles.template Zero<3>();
  for (int64_t i = 0; i < depth; ++i) {
    LoadRows<0>(tiles, rows, depth, i);
    LoadColumns<2>(tiles, columns, depth, i);
    AddFourProducts(tiles);
    LoadColumns<1>(tiles, columns, depth, i);
    AddFourProducts(tiles);
    LoadRows<1>(tiles, rows, depth, i);
    AddFourProducts(tiles);
    LoadColumns<0>(tiles, columns, depth, i);
    AddFourProducts(tiles);
    LoadRows<2>(tiles, rows, depth, i);
    AddFourProducts(tiles);
    LoadRows<0>(tiles, rows, depth, i);
    AddFourProducts(tiles);
  }
  const auto bytes = static_cast<int64_t>(stride * sizeof(float));
  tiles.template Store<0>(out, bytes);
  tiles.template Store<1>(out + kTileElements, bytes);
  tiles.template Store<2>(out + kTileRows * stride, bytes);
  tiles.template Store<3>(out + kTileRows * stride + kTileElements, bytes);
}

// Packs 64 vectors (kKeyPadding) of `dim` floats one after the other, of which `count` exist.
inline void PackColumnGroups(const float* x, int64_t count, int64_t dim, float* packed) {
  const int64_t depth = at::DepthTiles(dim), group = 6 * depth * at::kTileSize;
  for (int64_t i = 0; i < at::kKeyPadding; i += kTileElements) {
    PackColumns(x + i * dim, dim, count - i, dim, depth, i / kTileElements % 2, 0, depth,
                reinterpret_cast<uint32_t*>(packed) + i / at::kTileGroup * group);
  }
}

// Packs `rows` vectors of `dim` floats, multiplied by `scale`, for the first factor. Rows up to
// whole groups repeat the last one: they are computed and not read. `scaled` has room for a row.
inline void PackRowGroups(int64_t rows, const float* x, int64_t dim, float scale, float* scaled,
                          float* packed) {
  const int64_t depth = at::DepthTiles(dim), group = 6 * depth * at::kTileSize;
  for (int64_t r = 0; r % at::kTileGroup != 0 || r < rows; ++r) {
    const float* from = x + std::min(r, rows - 1) * dim;
    for (int64_t c = 0; c < dim; ++c) scaled[c] = from[c] * scale;
    PackRow(scaled, dim, depth, r % at::kTileGroup,
            reinterpret_cast<uint32_t*>(packed) + r / at::kTileGroup * group);
  }
}

// out[r · stride + key] = row r · column key, for r < rows and key < keys, a multiple of 32. All
// rows use 256 columns before the next ones are read. Nothing else of `out` is written.
template <class Tiles>
void MultiplyGroups(int64_t rows, int64_t keys, int64_t dim, const float* packed_rows,
                    const float* packed_keys, float* out, int64_t stride) {
  const int64_t depth = at::DepthTiles(dim), group = 6 * depth * at::kTileSize;
  const auto* a = reinterpret_cast<const uint32_t*>(packed_rows);
  const auto* b = reinterpret_cast<const uint32_t*>(packed_keys);
  static constexpr TileConfig kConfig = TileConfig::Full();
  Tiles tiles;
  tiles.Configure(kConfig);
  for (int64_t begin = 0; begin < keys; begin += at::kKeys) {
    const int64_t end = std::min(begin + at::kKeys, keys);
    for (int64_t r = 0; r < rows; r += at::kTileGroup) {
      for (int64_t key = begin; key < end; key += at::kTileGroup) {
        const uint32_t* row_group = a + r / at::kTileGroup * group;
        const uint32_t* key_group = b + key / at::kTileGroup * group;
        float* to = out + r * stride + key;
        if (rows - r >= at::kTileGroup) {
          MultiplyFloatTiles(tiles, depth, row_group, key_group, to, stride);
          continue;
        }
        float block[at::kTileGroup * at::kTileGroup];
        MultiplyFloatTiles(tiles, depth, row_group, key_group, block, at::kTileGroup);
        for (int64_t i = 0; i < rows - r; ++i) {
          std::copy_n(block + i * at::kTileGroup, at::kTileGroup, to + i * stride);
        }
      }
    }
  }
  tiles.Release();
}

// By the processor's tiles or the model.
inline void MultiplyGroups(TileUnit unit, int64_t rows, int64_t keys, int64_t dim,
                           const float* packed_rows, const float* packed_keys, float* out,
                           int64_t stride) {
  (unit == TileUnit::kModel
       ? MultiplyGroups<ModelTiles>
       : MultiplyGroups<BestTiles>)(rows, keys, dim, packed_rows, packed_keys, out, stride);
}

// Packs the keys [first, first + kKeyPadding) of `keys` that stand one after the other: as tiles
// [dim, kTile], or for matrix tiles where there are some. Zeros beyond the last key.
inline void PackLogitKeys(std::optional<TileUnit> tiles, int64_t keys, const float* k, int64_t dim,
                          int64_t first, float* packed) {
  if (tiles) {
    PackColumnGroups(k + first * dim, keys - first, dim,
                     packed + first * at::PackedSize(tiles, dim));
    return;
  }
  for (int64_t t = first; t < first + at::kKeyPadding; t += kTile) {
    PackKeys<Floats>(k + t * dim, dim, keys - t, dim, dim, packed + t * dim);
  }
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
