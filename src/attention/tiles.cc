// SPDX-License-Identifier: Apache-2.0
#include "attention/tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "attention/logit_row.h"
#include "attention/rotation.h"
#include "core/error.h"
#include "ops/half_rows.h"
#include "ops/row_block.h"

namespace vggt {
namespace {

// Rows of a block whose logits take about half a megabyte, so that they are still in the
// second-level cache when they become probabilities and when the caller reads them. If keys are so
// many that these rows are few, reading the keys from memory would take longer than the products.
int64_t RowsTogether(int64_t keys, bool with_before_rope) {
  constexpr int64_t kSix = 6;  // the kernel computes six rows at a time
  const int64_t logits = 1 << (with_before_rope ? 16 : 17);
  return std::clamp(logits / keys / kSix * kSix, kLeastTogether, kMostBlockRows);
}

// Each row divided by its length; a row of zeros stays one.
void Normalize(int64_t rows, int64_t dim, float* x) {
  for (int64_t r = 0; r < rows; ++r, x += dim) {
    double squares = 0;
    for (int64_t c = 0; c < dim; ++c) squares += static_cast<double>(x[c]) * x[c];
    const auto factor = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
    for (int64_t c = 0; c < dim; ++c) x[c] *= factor;
  }
}

}  // namespace

HeadTiles::HeadTiles(const QkStore& store, const HeadRef& head, TileOptions options)
    : store_(store),
      head_(head),
      stored_(BlocksOf(store.description(), head.kind)),
      grid_(store.description().token_grid(stored_)),
      options_(std::move(options)),
      groups_(SoftmaxGroups(stored_.attends, options_.definition, grid_.frames)) {
  AttentionRequest request;
  request.kind = head.kind;
  request.layers = {head.layer};
  request.heads = {head.head};
  request.tokens = {0};
  request.frames = {0};
  request.before_rope = options_.before_rope || options_.with_before_rope;
  CheckRequest(request, store.description(), stored_);
  std::vector<int64_t>& rows = options_.rows;
  if (rows.empty()) {
    rows.resize(static_cast<size_t>(grid_.tokens()));
    std::iota(rows.begin(), rows.end(), 0);
  }
  if (options_.with_before_rope &&
      (options_.definition != Definition::kLogits || options_.before_rope)) {
    throw Error("only logits after RoPE come with those before it");
  }
  const bool ascending = std::is_sorted(rows.begin(), rows.end(), std::less_equal<>());
  if (!ascending || rows.front() < 0 || rows.back() >= grid_.tokens()) {
    throw Error(fmt::format("the rows asked for are not ascending tokens from 0 to {}",
                            grid_.tokens() - 1));
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    // Of the first row of a frame; after the last of all frames come those of scene tokens.
    const auto place = [&](int64_t frame) {
      if (frame == grid_.frames) return rows.size();
      const auto found = std::lower_bound(rows.begin(), rows.end(), grid_.first_token(frame));
      return static_cast<size_t>(found - rows.begin());
    };
    const int64_t keys = KeyCount(groups_[g].keys, grid_);
    const auto together = static_cast<size_t>(RowsTogether(keys, options_.with_before_rope));
    const size_t end = place(groups_[g].rows.last);
    for (size_t begin = place(groups_[g].rows.first); begin < end; begin += together) {
      blocks_.push_back({g, begin, std::min(begin + together, end)});
    }
  }
}

// The work of one call: the blocks of one group after those of another.
class HeadTiles::Computation {
 public:
  Computation(const HeadTiles& tiles, const std::function<void(const RowBlock&)>& add,
              const StopCheck& stop_check)
      : tiles_(tiles),
        add_(add),
        stop_check_(stop_check),
        tensors_(tiles.store_.Layer(tiles.stored_, tiles.head_.layer)),
        head_values_((tiles.head_.head - 1) * tiles.grid_.tokens() * dim()),
        rotation_(tiles.stored_, tiles.grid_, tiles.options_.before_rope),
        no_rotation_(tiles.stored_, tiles.grid_, true) {}

  void Run() {
    const std::vector<Planned>& blocks = tiles_.blocks_;
    for (size_t first = 0; first < blocks.size();) {
      size_t end = first;
      while (end < blocks.size() && blocks[end].group == blocks[first].group) ++end;
      RunGroup(first, end);
      first = end;
    }
    tensors_.mapping->CheckIntact();
  }

 private:
  int64_t dim() const { return tiles_.stored_.head_dim; }
  // Without a rotation both are the same, and are computed once.
  bool before_rope_differs() const {
    return tiles_.options_.with_before_rope && tiles_.stored_.rope.type == RopeType::k2d;
  }
  bool cosine() const { return tiles_.options_.definition == Definition::kCosine; }

  // The blocks [first, end), which share their keys.
  void RunGroup(size_t first, size_t end) {
    CheckStop(stop_check_);
    const SoftmaxGroup& group = tiles_.groups_[tiles_.blocks_[first].group];
    const std::vector<int64_t> keys =
        KeyTokens(group.keys, tiles_.options_.definition, tiles_.grid_);
    const PackedKeys packed = Pack(rotation_, keys);
    std::optional<PackedKeys> before;
    if (before_rope_differs()) before.emplace(Pack(no_rotation_, keys));
    const int64_t most = tiles_.blocks_[first].end - tiles_.blocks_[first].begin;
    const Memory memory(most, packed, before.has_value());
    FloatBuffer all(static_cast<size_t>(memory.size * ThreadCount()));
    ParallelFor(end - first, 1, [&](size_t i) {
      CheckStop(stop_check_);
      const int slot = ThreadIndex();
      float* own = all.data() + slot * memory.size;
      RowBlock block = Compute(first + i, packed, memory, own);
      if (before) AddBeforeRope(*before, memory, own, block);
      block.index = first + i;
      block.slot = slot;
      block.keys = keys;
      block.key_frames = group.keys;
      add_(block);
    });
  }

  // What a thread needs for a block of `rows`, in floats from the beginning of its own.
  struct Memory {
    Memory(int64_t rows, const PackedKeys& keys, bool with_before_rope)
        : before_rope(RowBlockSize(rows, keys.keys())),
          queries((with_before_rope ? 2 : 1) * before_rope),
          scratch(queries + rows * keys.dim()),
          log_normalizers(scratch + RowBlockScratch(keys.dim())),
          // Threads do not write to the same line of a cache.
          size((log_normalizers + rows + 15) / 16 * 16) {}
    int64_t before_rope, queries, scratch, log_normalizers, size;
  };

  PackedKeys Pack(const RowRotation& rotation, const std::vector<int64_t>& keys) const {
    FloatBuffer k = rotation.Rotated(tensors_.k + head_values_, keys);
    CheckFinite(k.data(), std::ssize(keys));
    if (cosine()) Normalize(std::ssize(keys), dim(), k.data());
    return PackedKeys(std::ssize(keys), k.data(), dim());
  }

  RowBlock Compute(size_t index, const PackedKeys& keys, const Memory& memory, float* own) const {
    const Planned& planned = tiles_.blocks_[index];
    RowBlock block;
    block.rows =
        std::span(tiles_.options_.rows).subspan(planned.begin, planned.end - planned.begin);
    block.values = own;
    block.stride = keys.stride();
    if (tiles_.options_.with_before_rope) block.before_rope = own;
    Multiply(rotation_, block.rows, keys, memory, own, own);
    if (IsProbability(tiles_.options_.definition)) {
      SoftmaxRows(std::ssize(block.rows), keys.keys(), keys.stride(), own,
                  own + memory.log_normalizers);
      block.log_normalizers = own + memory.log_normalizers;
    }
    return block;
  }

  void AddBeforeRope(const PackedKeys& keys, const Memory& memory, float* own,
                     RowBlock& block) const {
    Multiply(no_rotation_, block.rows, keys, memory, own, own + memory.before_rope);
    block.before_rope = own + memory.before_rope;
  }

  // Logits or cosines of `rows`, whose queries are turned by `rotation` as the keys were.
  void Multiply(const RowRotation& rotation, std::span<const int64_t> rows, const PackedKeys& keys,
                const Memory& memory, float* own, float* values) const {
    float* const queries = own + memory.queries;
    rotation.Rotate(tensors_.q + head_values_, rows, queries);
    CheckFinite(queries, std::ssize(rows));
    if (cosine()) Normalize(std::ssize(rows), dim(), queries);
    const auto scale = static_cast<float>(cosine() ? 1 : tiles_.stored_.scale);
    LogitRows(std::ssize(rows), queries, keys, scale, own + memory.scratch, values);
  }

  // Products of finite float16 values are far below the largest float32, at any scale and head
  // width that a store may have: to look at what is multiplied is enough.
  void CheckFinite(const float* x, int64_t rows) const {
    if (RowIsFinite(x, rows * dim())) return;
    ThrowNotFinite(tiles_.store_.LayerPath(tiles_.stored_, tiles_.head_.layer));
  }

  const HeadTiles& tiles_;
  const std::function<void(const RowBlock&)>& add_;
  const StopCheck& stop_check_;
  const QkTensors tensors_;
  const int64_t head_values_;
  const RowRotation rotation_, no_rotation_;
};

void HeadTiles::ForEachRowBlock(const std::function<void(const RowBlock&)>& add,
                                const StopCheck& stop_check) const {
  Computation(*this, add, stop_check).Run();
}

}  // namespace vggt
