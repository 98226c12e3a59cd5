// SPDX-License-Identifier: Apache-2.0
// The running maximum is that of attention.cc, and what is rounded is that of attention_bf16.cc.
// This file tells what differs.
//
// Everything is turned: logits are keys · queriesᵀ, and sums are valuesᵀ · probabilitiesᵀ. So a row
// of a tile of logits holds one key, and each lane of a vector one query. Maxima and totals of a
// query are taken lane by lane, a key after the other; no vector is ever summed across its lanes,
// and keys beyond the last are rows that are not visited. A second factor of TDPBF16PS needs pairs
// of rows in its elements, and probabilities of two neighbouring keys interleaved are that.
//
// Tiles. All eight registers have their full size; what is short is padded with zeros. Registers 0
// to 3 are the sums of two by two tiles, 4 and 5 the first factor, 6 and 7 the second. So each
// product needs one load, which takes half of its time (8 of 16 cycles on Sapphire Rapids), and a
// sum waits for itself for three other products, about as long as a product takes from its start to
// its end (52 cycles).
//
// Overlap. A unit is 32 queries by 64 keys. A processor's tiles and its vector units work at the
// same time if instructions of both stand near each other in the program. So a unit passes through
// three stages, and a task works on three units at a time: the logits of one (tiles), the softmax
// of the one before (vectors), and the weighted values of the one before that (tiles). After each
// step of the tiles, four products, follows its share of the softmax. At head_dim 64 a unit is 32
// products of 16 cycles, and 128 vectors of 16 logits that take about 14 instructions each, two of
// them in a cycle: the vectors bound the rate. Units of logits and probabilities are kept twice, 24
// KB, which with the sums (8 KB) and queries (4 KB) of 32 rows fit into the first-level cache.
//
// A task takes up to 256 queries of one head, so that keys and values are read from the third-level
// cache once for 256 rows. Its queries and sums, 96 KB, and a step of 256 keys and their values, 64
// KB, stay in the second-level cache. Within a step, the 32 rows of a group take all its keys
// before the next group begins.
//
// Maximum. Where a step raises it, all sums of 16 queries must be scaled. That is done only when it
// rises above the value in use by a factor of 2^8 in probability: float32 and bfloat16 keep their
// relative precision, whatever the exponent. The scale is applied when the weighted values of the
// unit are added, because those of the unit before are not yet there when it is known.
//
// The bits depend on the order of tiles and on which 16 queries share vectors, both fixed by the
// shape, not on the number of threads.
#include "ops/attention_amx.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "ops/amx.h"
#include "ops/attention_tile.h"
#include "ops/precision.h"
#include "ops/tile_unit.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention_amx.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/attention_bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

using at::kUnitKeys;
using at::kUnitQueries;

using at::kTileSize;

constexpr int64_t kSide = kTileElements;  // rows of a tile, and elements of a row
constexpr int64_t kSharers = kSide;       // queries side by side in a tile
constexpr int64_t kHalves = kUnitQueries / kSharers;
static_assert(kTileRows == kSide && kTileSize == kSide * kSide && kHalves == 2 &&
              kSharers % kLanes == 0);
static_assert(at::kKeys % kUnitKeys == 0 && at::kKeyPadding % kUnitKeys == 0);

// Writes the transposed of a matrix [4, kLanes]: to[j · stride … + 4) are the j-th values of the
// four rows, j < kLanes.
HWY_INLINE void StoreTransposed(const VU (&rows)[4], int64_t stride, uint32_t* to) {
  uint32_t turned[4 * kLanes];
  hn::StoreInterleaved4(rows[0], rows[1], rows[2], rows[3], du, turned);
  for (int64_t j = 0; j < kLanes; ++j) {
    std::memcpy(to + j * stride, turned + 4 * j, 4 * sizeof(uint32_t));
  }
}

// Packs keys and values [first, first + kKeyPadding) of all heads; zeros beyond the last token or
// channel.
template <class Factors>
void PackTokensForTiles(const at::TilePlan& plan, int64_t batch, int64_t first) {
  const int64_t row = plan.depth_tiles * kSide;
  for (int64_t head = 0; head < plan.heads; ++head) {
    uint32_t* keys = plan.PackedKeys(batch, head) + first * row;
    std::fill_n(keys, at::kKeyPadding * row, 0U);
    const int64_t end = std::min(first + at::kKeyPadding, plan.tokens);
    for (int64_t t = first; t < end; ++t, keys += row) {
      RoundRow<Factors>(plan.Token(plan.k, batch, t, head), plan.head_dim, 1, keys);
    }
    uint32_t* values = plan.PackedValues(batch, head) + first / 2 * plan.value_tiles * kSide;
    for (int64_t block = first; block < first + at::kKeyPadding; block += 2 * kSide) {
      for (int64_t tile = 0; tile < plan.value_tiles; ++tile, values += kTileSize) {
        for (int64_t pair = 0; pair < kSide; pair += 4) {
          for (int64_t lane = 0; lane < kSide; lane += kLanes) {
            const int64_t c = tile * kSide + lane;
            VU rows[4];
            for (int64_t r = 0; r < 4; ++r) {
              const int64_t t = block + 2 * (pair + r);
              const float* value = plan.Token(plan.v, batch, t, head) + c;
              const int64_t left = plan.head_dim - c;
              rows[r] = Factors::Interleave(
                  LoadPart(value, t < plan.tokens ? left : 0),
                  LoadPart(value + plan.token_stride, t + 1 < plan.tokens ? left : 0));
            }
            StoreTransposed(rows, kSide, values + lane * kSide + pair);
          }
        }
      }
    }
  }
}

// 32 queries of a task and 64 keys.
struct Unit {
  int64_t group = -1;  // the queries, counted in units; -1: no unit
  int64_t key = 0;     // the first key
  explicit operator bool() const { return group >= 0; }
};

// What a unit passes from stage to stage. There are two, used by turns.
struct UnitMemory {
  float* logits;            // [kHalves, kUnitKeys, kSharers]: k · q, not scaled
  uint32_t* probabilities;  // [kHalves, kUnitKeys / 2, kSharers]: pairs of neighbouring keys
  float* shrink;            // [kHalves, kSharers]: what the sums are multiplied with …
  bool raised[kHalves];     // … if a maximum was raised
};

template <class Factors, class Tiles>
class TileTask {
 public:
  TileTask(const at::TilePlan& plan, const at::Task& task, float* memory)
      : plan_(plan),
        task_(task),
        rows_(task.row_end - task.row_begin),
        groups_((rows_ + kUnitQueries - 1) / kUnitQueries),
        keys_(plan.PackedKeys(task.batch, task.head)),
        values_(plan.PackedValues(task.batch, task.head)),
        query_size_(plan.depth_tiles * kTileSize),
        sum_size_(plan.value_tiles * kTileSize) {
    const auto take = [&](int64_t size) {
      float* part = memory;
      memory += size;
      return part;
    };
    queries_ = reinterpret_cast<uint32_t*>(take(groups_ * kHalves * query_size_));
    sums_ = take(groups_ * kHalves * sum_size_);
    max_ = take(groups_ * kUnitQueries);
    total_ = take(groups_ * kUnitQueries);
    for (UnitMemory& unit : units_) {
      unit.logits = take(kUnitQueries * kUnitKeys);
      unit.probabilities = reinterpret_cast<uint32_t*>(take(kUnitQueries * kUnitKeys / 2));
      unit.shrink = take(kUnitQueries);
    }
  }

  void Run() {
    for (int64_t i = 0; i < groups_ * kHalves; ++i) {
      const int64_t row = task_.row_begin + i * kSharers;
      PackKeys<Factors, kSharers>(plan_.Token(plan_.q, task_.batch, row, task_.head),
                                  plan_.token_stride, task_.row_end - row, plan_.head_dim,
                                  plan_.depth_tiles * kSide, queries_ + i * query_size_);
    }
    std::fill_n(sums_, groups_ * kHalves * sum_size_, 0.0F);
    std::fill_n(max_, groups_ * kUnitQueries, -1e30F);
    std::fill_n(total_, groups_ * kUnitQueries, 0.0F);
    tiles_.Configure(kConfig);
    for (int64_t step = 0; step < task_.keys; step += at::kKeys) {
      const int64_t end = std::min(step + at::kKeys, task_.keys);
      for (int64_t group = 0; group < groups_; ++group) {
        for (int64_t key = step; key < end; key += kUnitKeys) Advance({group, key});
      }
    }
    Advance({});
    Advance({});
    tiles_.Release();
    for (int64_t i = 0; i < groups_ * kHalves; ++i) Write(i);
  }

 private:
  static constexpr TileConfig kConfig = TileConfig::Full();
  // The softmax of a unit is done in parts of 8 keys for 16 queries.
  static constexpr int64_t kPartKeys = 8;
  static constexpr int64_t kPartsOfHalf = kUnitKeys / kPartKeys;
  static constexpr int64_t kParts = kHalves * kPartsOfHalf;

  // Moves each unit on by a stage: `next` gets its logits.
  void Advance(const Unit& next) {
    const int64_t value_steps = (plan_.value_tiles + 1) / 2 * (kUnitKeys / (2 * kSide));
    tile_steps_ =
        (next ? kUnitKeys / (2 * kSide) * plan_.depth_tiles : 0) + (previous_ ? value_steps : 0);
    part_ = current_ ? 0 : kParts;
    credit_ = 0;
    std::swap(units_[0], units_[1]);
    if (next) ComputeLogits(next, units_[0]);
    if (previous_) AddWeightedValues(previous_, units_[1]);
    while (part_ < kParts) SoftmaxPart(part_++);
    previous_ = current_;
    current_ = next;
  }

  // Called after each step of the tiles: does its share of the parts of the softmax.
  HWY_INLINE void TileStepDone() {
    for (credit_ += kParts; credit_ >= tile_steps_ && part_ < kParts; credit_ -= tile_steps_) {
      SoftmaxPart(part_++);
    }
  }

  void ComputeLogits(const Unit& unit, const UnitMemory& memory) {
    const int64_t row = plan_.depth_tiles * kSide;
    const int64_t row_bytes = plan_.depth_tiles * kTileRowBytes;
    for (int64_t block = 0; block < kUnitKeys; block += 2 * kSide) {
      const uint32_t* keys = keys_ + (unit.key + block) * row;
      const uint32_t* queries = queries_ + unit.group * kHalves * query_size_;
      tiles_.template Zero<0>();
      tiles_.template Zero<1>();
      tiles_.template Zero<2>();
      tiles_.template Zero<3>();
      for (int64_t i = 0; i < plan_.depth_tiles; ++i, keys += kSide, queries += kTileSize) {
        tiles_.template Load<4>(keys, row_bytes);
        tiles_.template Load<6>(queries, kTileRowBytes);
        tiles_.template Load<7>(queries + query_size_, kTileRowBytes);
        tiles_.template AddProducts<0, 4, 6>();
        tiles_.template AddProducts<1, 4, 7>();
        tiles_.template Load<5>(keys + kSide * row, row_bytes);
        tiles_.template AddProducts<2, 5, 6>();
        tiles_.template AddProducts<3, 5, 7>();
        TileStepDone();
      }
      float* logits = memory.logits + block * kSharers;
      tiles_.template Store<0>(logits, kTileRowBytes);
      tiles_.template Store<1>(logits + kUnitKeys * kSharers, kTileRowBytes);
      tiles_.template Store<2>(logits + kTileSize, kTileRowBytes);
      tiles_.template Store<3>(logits + kUnitKeys * kSharers + kTileSize, kTileRowBytes);
    }
  }

  // One of the kParts parts of the current unit's softmax.
  HWY_NOINLINE void SoftmaxPart(int64_t part) {
    const int64_t half = part / kPartsOfHalf, first = part % kPartsOfHalf * kPartKeys;
    const int64_t count = std::min(kUnitKeys, task_.keys - current_.key);
    if (first == 0) TakeMaxima(half, count);
    if (count - first >= kPartKeys) {
      Exponentiate<true>(half, first, kPartKeys);
    } else {
      Exponentiate<false>(half, first, count - first);
    }
  }

  // Raises the maxima of 16 queries where that is needed.
  HWY_INLINE void TakeMaxima(int64_t half, int64_t count) {
    // In the units of logits: 2^8 in probability.
    const V slack = hn::Set(d, 8 / plan_.scale), scale = hn::Set(d, plan_.scale);
    const int64_t row = current_.group * kUnitQueries + half * kSharers;
    bool raised = false;
    for (int64_t lane = 0; lane < kSharers; lane += kLanes) {
      const float* logits = units_[1].logits + half * kUnitKeys * kSharers + lane;
      V largest = hn::LoadU(d, logits), other = largest;
      int64_t key = 1;
      for (; key + 2 <= count; key += 2) {
        largest = hn::Max(largest, hn::LoadU(d, logits + key * kSharers));
        other = hn::Max(other, hn::LoadU(d, logits + (key + 1) * kSharers));
      }
      if (key < count) other = hn::Max(other, hn::LoadU(d, logits + key * kSharers));
      largest = hn::Max(largest, other);
      const V before = hn::LoadU(d, max_ + row + lane);
      V shrink = hn::Set(d, 1.0F);
      if (!hn::AllTrue(d, hn::Le(largest, hn::Add(before, slack)))) {
        const V after = hn::Max(before, largest);
        shrink = CoarseExp2(hn::Mul(hn::Sub(before, after), scale));
        hn::StoreU(after, d, max_ + row + lane);
        hn::StoreU(hn::Mul(hn::LoadU(d, total_ + row + lane), shrink), d, total_ + row + lane);
        raised = true;
      }
      hn::StoreU(shrink, d, units_[0].shrink + half * kSharers + lane);
    }
    units_[0].raised[half] = raised;
  }

  // Probabilities of kPartKeys keys, of which `count` exist, for 16 queries.
  template <bool kWhole>
  HWY_INLINE void Exponentiate(int64_t half, int64_t first, int64_t count) {
    const int64_t row = current_.group * kUnitQueries + half * kSharers;
    const V scale = hn::Set(d, plan_.scale);
    for (int64_t lane = 0; lane < kSharers; lane += kLanes) {
      const float* logits = units_[1].logits + (half * kUnitKeys + first) * kSharers + lane;
      uint32_t* probabilities =
          units_[0].probabilities + (half * kUnitKeys + first) / 2 * kSharers + lane;
      const V shift = hn::Mul(hn::LoadU(d, max_ + row + lane), hn::Set(d, -plan_.scale));
      const auto value = [&](int64_t key) HWY_ATTR {
        if (!kWhole && key >= count) return hn::Zero(d);
        return CoarseExp2(hn::MulAdd(hn::LoadU(d, logits + key * kSharers), scale, shift));
      };
      V sum = hn::LoadU(d, total_ + row + lane);
#pragma GCC unroll 4
      for (int64_t key = 0; key < kPartKeys; key += 2) {
        const V low = value(key), high = value(key + 1);
        hn::StoreU(Factors::Interleave(low, high), du, probabilities + key / 2 * kSharers);
        sum = hn::Add(sum, hn::Add(low, high));
      }
      hn::StoreU(sum, d, total_ + row + lane);
    }
  }

  void AddWeightedValues(const Unit& unit, const UnitMemory& memory) {
    float* sums = sums_ + unit.group * kHalves * sum_size_;
    for (int64_t half = 0; half < kHalves; ++half) {
      if (memory.raised[half]) Scale(memory.shrink + half * kSharers, sums + half * sum_size_);
    }
    const uint32_t* values = values_ + unit.key / 2 * plan_.value_tiles * kSide;
    int64_t tile = 0;
    for (; tile + 2 <= plan_.value_tiles; tile += 2) {
      AddWeightedChannels<2>(values + tile * kTileSize, memory, sums + tile * kTileSize);
    }
    if (tile < plan_.value_tiles) {
      AddWeightedChannels<1>(values + tile * kTileSize, memory, sums + tile * kTileSize);
    }
  }

  // The same for kCount times 16 channels.
  template <int kCount>
  HWY_INLINE void AddWeightedChannels(const uint32_t* values, const UnitMemory& memory,
                                      float* sums) {
    tiles_.template Load<0>(sums, kTileRowBytes);
    tiles_.template Load<1>(sums + sum_size_, kTileRowBytes);
    if constexpr (kCount == 2) {
      tiles_.template Load<2>(sums + kTileSize, kTileRowBytes);
      tiles_.template Load<3>(sums + sum_size_ + kTileSize, kTileRowBytes);
    }
    const uint32_t* probabilities = memory.probabilities;
    for (int64_t block = 0; block < kUnitKeys; block += 2 * kSide) {
      tiles_.template Load<4>(values, kTileRowBytes);
      tiles_.template Load<6>(probabilities, kTileRowBytes);
      tiles_.template Load<7>(probabilities + kUnitKeys / 2 * kSharers, kTileRowBytes);
      tiles_.template AddProducts<0, 4, 6>();
      tiles_.template AddProducts<1, 4, 7>();
      if constexpr (kCount == 2) {
        tiles_.template Load<5>(values + kTileSize, kTileRowBytes);
        tiles_.template AddProducts<2, 5, 6>();
        tiles_.template AddProducts<3, 5, 7>();
      }
      TileStepDone();
      values += plan_.value_tiles * kTileSize;
      probabilities += kTileSize;
    }
    tiles_.template Store<0>(sums, kTileRowBytes);
    tiles_.template Store<1>(sums + sum_size_, kTileRowBytes);
    if constexpr (kCount == 2) {
      tiles_.template Store<2>(sums + kTileSize, kTileRowBytes);
      tiles_.template Store<3>(sums + sum_size_ + kTileSize, kTileRowBytes);
    }
  }

  // The sums of 16 queries times `shrink`.
  void Scale(const float* shrink, float* sums) {
    for (int64_t lane = 0; lane < kSharers; lane += kLanes) {
      const V factor = hn::LoadU(d, shrink + lane);
      for (float* sum = sums + lane; sum < sums + sum_size_; sum += kSharers) {
        hn::StoreU(hn::Mul(hn::LoadU(d, sum), factor), d, sum);
      }
    }
  }

  // Writes the results of the i-th 16 queries.
  void Write(int64_t i) {
    const float* sums = sums_ + i * sum_size_;
    for (int64_t lane = 0; lane < kSharers; lane += kLanes) {
      const int64_t row = i * kSharers + lane;
      const int64_t rows = std::min(kLanes, rows_ - row);
      if (rows <= 0) return;
      const V factor = hn::Div(hn::Set(d, 1.0F), hn::LoadU(d, total_ + row));
      const int64_t token = task_.batch * plan_.tokens + task_.row_begin + row;
      const int64_t stride = plan_.heads * plan_.head_dim;
      uint16_t* out = plan_.out + (token * plan_.heads + task_.head) * plan_.head_dim;
      for (int64_t c = 0; c < plan_.head_dim; c += 8) {
        VU pairs[4];
        for (int64_t p = 0; p < 4; ++p) {
          const float* from = sums + (c + 2 * p) * kSharers + lane;
          pairs[p] = Factors::Interleave(hn::Mul(hn::LoadU(d, from), factor),
                                         hn::Mul(hn::LoadU(d, from + kSharers), factor));
        }
        uint32_t turned[4 * kLanes];
        StoreTransposed(pairs, 4, turned);
        const size_t bytes = std::min<int64_t>(8, plan_.head_dim - c) * sizeof(uint16_t);
        for (int64_t r = 0; r < rows; ++r) {
          std::memcpy(out + r * stride + c, turned + 4 * r, bytes);
        }
      }
    }
  }

  const at::TilePlan& plan_;
  const at::Task task_;
  const int64_t rows_, groups_;
  const uint32_t *keys_, *values_;
  const int64_t query_size_, sum_size_;  // elements of 16 queries, and of their sums
  uint32_t* queries_;  // [groups, kHalves, depth_tiles · 16, kSharers]: pairs of channels
  float* sums_;        // [groups, kHalves, value_tiles · 16 channels, kSharers]
  float* max_;         // [groups, kUnitQueries]: maximum in use
  float* total_;       // [groups, kUnitQueries]: running sum of probabilities
  // While Advance() runs: [0] takes the next unit's logits and the current one's probabilities, [1]
  // holds the current one's logits and the previous one's probabilities.
  UnitMemory units_[2];
  Unit current_, previous_;
  int64_t tile_steps_ = 0, credit_ = 0, part_ = 0;
  [[no_unique_address]] Tiles tiles_;
};

void PackTileTokens(const at::TilePlan& plan, int64_t batch, int64_t first) {
  (plan.native ? PackTokensForTiles<BestFactors> : PackTokensForTiles<Emulated>)(plan, batch,
                                                                                 first);
}

#if defined(__x86_64__)
constexpr bool kHasTiles = HWY_TARGET <= HWY_AVX3;
#else
constexpr bool kHasTiles = false;
#endif
bool TargetHasTiles() { return kHasTiles; }

template <class Factors, class Tiles>
void RunOnTiles(const at::TilePlan& plan, const at::Task& task, float* memory) {
  TileTask<Factors, Tiles>(plan, task, memory).Run();
}

void RunTileTask(const at::TilePlan& plan, const at::Task& task, float* memory) {
  if (plan.tiles == TileUnit::kModel) {
    (plan.native ? RunOnTiles<BestFactors, ModelTiles>
                 : RunOnTiles<Emulated, ModelTiles>)(plan, task, memory);
  } else {
#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX3
    RunOnTiles<Native, ProcessorTiles>(plan, task, memory);
#endif
  }
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

using attention_tile::TilePlan;

HWY_EXPORT(PackTileTokens);
HWY_EXPORT(TargetHasTiles);
HWY_EXPORT(RunTileTask);

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

}  // namespace

bool AttentionRunsOnTiles() { return HWY_DYNAMIC_DISPATCH(TargetHasTiles)() && HasAmx(); }

void AttentionAmx(const AttentionShape& shape, const float* q, const float* k, const float* v,
                  uint16_t* out, AttentionWorkspace& workspace, TileUnit unit) {
  using attention_tile::kKeyPadding;
  TilePlan plan{};
  plan.tokens = shape.tokens;
  plan.heads = shape.heads;
  plan.head_dim = shape.head_dim;
  plan.token_stride = shape.token_stride;
  plan.padded_tokens = RoundUp(shape.tokens, kKeyPadding);
  plan.depth_tiles = RoundUp(shape.head_dim, 2 * kTileElements) / (2 * kTileElements);
  plan.value_tiles = RoundUp(shape.head_dim, kTileRows) / kTileRows;
  // Tasks of equal size, but for what whole units of queries allow.
  const int64_t most = attention_tile::kMostTaskRows;
  const int64_t group = shape.causal_group > 0 ? shape.causal_group : shape.tokens;
  const int64_t blocks = RoundUp(group, most) / most;
  plan.task_rows = RoundUp((group + blocks - 1) / blocks, attention_tile::kUnitQueries);
  plan.scale = attention_tile::LogitScale(shape.head_dim);
  plan.native = ProcessorMultipliesBf16();
  plan.tiles = unit;
  plan.q = q;
  plan.k = k;
  plan.v = v;
  plan.out = out;
  const int64_t matrices = shape.batch * shape.heads;
  const int64_t key_pairs = matrices * plan.padded_tokens * plan.depth_tiles * kTileElements;
  const int64_t value_pairs = matrices * plan.padded_tokens / 2 * plan.value_tiles * kTileElements;
  plan.packed_keys = reinterpret_cast<uint32_t*>(workspace.Packed(key_pairs + value_pairs));
  plan.packed_values = plan.packed_keys + key_pairs;
  const int64_t parts = plan.padded_tokens / kKeyPadding;
  ParallelFor(shape.batch * parts, 1, [&](size_t i) {
    const int64_t part = static_cast<int64_t>(i);
    HWY_DYNAMIC_DISPATCH(PackTileTokens)(plan, part / parts, part % parts * kKeyPadding);
  });

  const attention_tile::TaskList tasks(shape, plan.task_rows);
  const int64_t scratch_size = RoundUp(attention_tile::ScratchSize(plan), 16);
  float* scratch = workspace.Scratch(scratch_size * ThreadCount());
  ParallelFor(tasks.count(), 1, [&](size_t i) {
    HWY_DYNAMIC_DISPATCH(RunTileTask)
    (plan, tasks[static_cast<int64_t>(i)], scratch + scratch_size * ThreadIndex());
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
