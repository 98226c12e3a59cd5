// SPDX-License-Identifier: Apache-2.0
#include "capture/maps_from_store.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "attention/logit_row.h"
#include "attention/request.h"
#include "attention/rotation.h"
#include "capture/capture_options.h"
#include "capture/heatmap_recorder.h"
#include "capture/map_plan.h"
#include "core/error.h"
#include "core/memory_limit.h"
#include "ops/half_rows.h"
#include "store/maps/map_writer.h"
#include "store/qk/qk_store.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// Queries and keys of a layer's selected patches, as the model shows them to observers.
class SelectedPatches {
 public:
  // `tokens`: the selected patches of all frames. Only the first `queries` are queries.
  SelectedPatches(const QkStore& store, const QkBlocks& blocks, std::vector<int64_t> tokens,
                  int64_t queries)
      : store_(store),
        blocks_(blocks),
        grid_(store.description().token_grid(blocks)),
        rotation_(blocks, grid_, false),
        tokens_(std::move(tokens)),
        queries_(queries),
        q_(static_cast<size_t>(queries * width())),
        k_(tokens_.size() * static_cast<size_t>(width())) {}

  // Bytes of those of so many queries and keys.
  static double MemoryBytes(const QkBlocks& blocks, const MapExtents& extents) {
    return static_cast<double>(extents.queries + extents.keys()) * sizeof(float) *
           static_cast<double>(blocks.heads * blocks.head_dim);
  }

  // Valid until the next call. Of q only the rows of queries are there.
  QueriesKeys Read(size_t layer) {
    const QkTensors stored = store_.Layer(blocks_, layer);
    // Probabilities are those of logits q·k / √head_dim, whatever the model's scale.
    const double factor = blocks_.scale * std::sqrt(static_cast<double>(blocks_.head_dim));
    const std::span tokens(tokens_);
    ParallelFor(static_cast<size_t>(blocks_.heads), 1, [&](size_t head) {
      const size_t first = head * static_cast<size_t>(grid_.tokens() * blocks_.head_dim);
      TakeHead(stored.q + first, tokens.first(queries_), head, static_cast<float>(factor), q_);
      TakeHead(stored.k + first, tokens, head, 1, k_);
    });
    for (const FloatBuffer* values : {&q_, &k_}) {
      if (!RowIsFinite(values->data(), static_cast<int64_t>(values->size()))) {
        ThrowNotFinite(store_.LayerPath(blocks_, layer));
      }
    }
    stored.mapping->CheckIntact();
    stored.mapping->Release(0, stored.mapping->bytes().size());
    return {q_.data(),     k_.data(),        {1, 0, 1, std::ssize(tokens_)},
            blocks_.heads, blocks_.head_dim, width()};
  }

 private:
  int64_t width() const { return blocks_.heads * blocks_.head_dim; }

  // Puts rows of one head beside those of the others in `all` [tokens, heads, head_dim].
  void TakeHead(const uint16_t* stored, std::span<const int64_t> tokens, size_t head, float factor,
                FloatBuffer& all) const {
    const auto dim = static_cast<size_t>(blocks_.head_dim);
    const FloatBuffer rows = rotation_.Rotated(stored, tokens);
    for (size_t i = 0; i < tokens.size(); ++i) {
      float* out = all.data() + i * static_cast<size_t>(width()) + head * dim;
      for (size_t c = 0; c < dim; ++c) out[c] = factor * rows[i * dim + c];
    }
  }

  const QkStore& store_;
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  const RowRotation rotation_;
  const std::vector<int64_t> tokens_;
  const int64_t queries_;
  FloatBuffer q_, k_;
};

LayerMetadata MetadataOf(const QkDescription& d, const MapOptions& options, const MapPlan& plan) {
  LayerMetadata metadata;
  static_cast<FrameList&>(metadata) = d;
  metadata.stride_h = options.stride_h;
  metadata.stride_w = options.stride_w;
  metadata.H_ds = plan.map_height;
  metadata.W_ds = plan.map_width;
  metadata.provenance = d.provenance;
  return metadata;
}

void CheckMemory(double needed) {
  const auto limit = static_cast<double>(MemoryLimit());
  if (needed <= limit) return;
  throw Error(fmt::format("maps take {} of memory; this process may use {}", HumanBytes(needed),
                          HumanBytes(limit)),
              "", "Take larger strides (`stride_h`, `stride_w`), or the mean of the heads.");
}

}  // namespace

void WriteMapsFromStore(const fs::path& folder, const MapOptions& options,
                        const StopCheck& stop_check) {
  CheckStrides(options.stride_h, options.stride_w);
  const QkStore store(folder / kQkFolderName / kQkDescriptionName, folder);
  const QkDescription& d = store.description();
  const QkBlocks& blocks = BlocksOf(d, BlockKind::kGlobal);
  if (blocks.attends != Attends::kAll) {
    throw Error("queries of the first frame attend to it alone, of which there are no maps", "",
                "Ask for rows of attention.");
  }
  const MapPlan plan = MakeMapPlan(d.token_grid(blocks), options.stride_h, options.stride_w);
  const MapExtents extents = plan.extents(blocks.heads, d.frames);
  CheckMemory(SelectedPatches::MemoryBytes(blocks, extents) +
              HeatmapRecorder::MemoryBytes(extents, options.save_per_head));
  // The selected patches stand side by side, as on a grid that has no others.
  const TokenGrid selected{d.frames, 0, plan.map_height, plan.map_width};
  SelectedPatches patches(store, blocks, {plan.keys.begin(), plan.keys.end()}, extents.queries);
  MapWriter writer(folder, d.image_set_name, MetadataOf(d, options, plan), options.compress);
  HeatmapRecorder recorder(
      MakeMapPlan(selected, 1, 1), extents, options.save_per_head,
      std::vector<bool>(static_cast<size_t>(blocks.layers.back().index) + 1, true), writer);
  for (size_t layer = 0; layer < blocks.layers.size(); ++layer) {
    CheckStop(stop_check);
    recorder.OnQueriesKeys(blocks.layers[layer].index, patches.Read(layer));
  }
  writer.Finish();
}

}  // namespace vggt
