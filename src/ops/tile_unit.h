// SPDX-License-Identifier: Apache-2.0
// The matrix tiles of AMX: eight registers of 16 rows by 64 bytes, and an instruction that adds the
// product of two of them to a third. There are two implementations with the same functions, so that
// a kernel that takes its tiles as a template parameter can be tested on any processor:
// ProcessorTiles are the instructions, ModelTiles do the same in plain C++.
//
// An element of 32 bits holds a float32, or two bfloat16 of which the first is the lower half.
// AddProducts<C, A, B>() adds, for each row m and column n of C,
//   Σ_k A[m, k].lower · B[k, n].lower  +  Σ_k A[m, k].upper · B[k, n].upper.
// Each of the two sums is float32, begins at zero and takes its terms in ascending order of k by
// fused multiply-add; then they are added to each other, and that to C. Everything is rounded to
// nearest, ties to even; denormal numbers count as zeros and results that would be denormal become
// zeros. Intel, Software Developer's Manual, volume 2: LDTILECFG, TILELOADD, TDPBF16PS.
//
// Numbers of registers are template parameters, because they are part of the instructions. The
// functions are inlined in any case: the files that use them are compiled for several instruction
// sets, whose code must not be mixed.
#pragma once

#include <cstdint>

namespace vggt {

inline constexpr int kTileRegisters = 8;
inline constexpr int kTileRows = 16;
inline constexpr int kTileRowBytes = 64;
inline constexpr int kTileElements = kTileRowBytes / 4;  // of a row

// The extents of the registers, as LDTILECFG reads them.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  // All eight registers in their full size.
  static constexpr TileConfig Full() {
    TileConfig config;
    for (int i = 0; i < kTileRegisters; ++i) {
      config.row_bytes[i] = kTileRowBytes;
      config.rows[i] = kTileRows;
    }
    return config;
  }
};
static_assert(sizeof(TileConfig) == 64);

#if defined(__x86_64__)
// Only for threads of a process that HasAmx() (amx.h). Registers belong to the thread. In assembly,
// because it compiles for any target, and because the intrinsics of GCC 12 do not tell the compiler
// that loads read memory.
struct ProcessorTiles {
  [[gnu::always_inline]] void Configure(const TileConfig& config) {
    asm volatile("ldtilecfg %0" : : "m"(config));
  }
  // Until the next Configure() there are no registers to save when the thread is interrupted.
  [[gnu::always_inline]] void Release() { asm volatile("tilerelease"); }
  template <int kTile>
  [[gnu::always_inline]] void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  // `stride`: bytes from one row in memory to the next.
  template <int kTile>
  [[gnu::always_inline]] void Load(const void* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  [[gnu::always_inline]] void Store(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kC, int kA, int kB>
  [[gnu::always_inline]] void AddProducts() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
  }
};
#endif

// The same in plain C++. Where the processor would end the program (registers that are not
// configured, extents that do not fit), it throws Error. What it does with NaN is not modelled.
class ModelTiles {
 public:
  void Configure(const TileConfig& config);
  void Release();
  template <int kTile>
  [[gnu::always_inline]] void Zero() {
    Zero(kTile);
  }
  template <int kTile>
  [[gnu::always_inline]] void Load(const void* from, int64_t stride) {
    Load(kTile, from, stride);
  }
  template <int kTile>
  [[gnu::always_inline]] void Store(void* to, int64_t stride) {
    Store(kTile, to, stride);
  }
  template <int kC, int kA, int kB>
  [[gnu::always_inline]] void AddProducts() {
    AddProducts(kC, kA, kB);
  }

 private:
  struct Tile {
    uint32_t row[kTileRows][kTileElements];
  };

  void Zero(int tile);
  void Load(int tile, const void* from, int64_t stride);
  void Store(int tile, void* to, int64_t stride) const;
  void AddProducts(int c, int a, int b);
  void Check(int tile) const;

  bool configured_ = false;
  TileConfig config_;
  Tile tiles_[kTileRegisters] = {};
};

}  // namespace vggt
