// SPDX-License-Identifier: Apache-2.0
#include "attention/attention_rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "attention/logit_row.h"
#include "attention/row_normalizers.h"
#include "core/error.h"
#include "core/parallel.h"
#include "ops/half_rows.h"

namespace vggt {
namespace {

// Rows of that many bytes are in memory at a time, before heads are reduced.
constexpr size_t kMostRowBytes = 64 << 20;

// What all tasks of one answer share.
struct AnswerPlan {
  AnswerPlan(const AttentionRequest& r, const QkDescription& d, const StopCheck& c)
      : request(r),
        blocks(BlocksOf(d, r.kind)),
        grid(d.token_grid(blocks)),
        rotation(RotationTable(blocks, grid, r.before_rope)),
        frames(AttendedFrames(blocks.attends, r.frame, d.frames, r.incoming)),
        stop_check(c) {}

  const AttentionRequest& request;
  const QkBlocks& blocks;
  const TokenGrid grid;
  const std::shared_ptr<const RopeTable> rotation;
  const FrameRange frames;  // those that the query meets; values at all others are 0 or NaN
  const StopCheck& stop_check;
};

bool NeedsNormalizers(const AttentionRequest& request) {
  return request.incoming && IsProbability(request.definition);
}

RowNormalizers::Key NormalizerKey(const AttentionRequest& request, size_t layer, int head,
                                  uint64_t version) {
  const int64_t frame = request.definition == Definition::kFrame ? request.frame : 0;
  return {request.kind, layer, head, request.definition, frame, request.before_rope, version};
}

}  // namespace

std::span<const float> AttentionAnswer::Tokens(int64_t layer, int64_t head, int64_t frame) const {
  const int64_t place = (layer * shape[1] + head) * shape[2] + frame;
  return values.span().subspan(static_cast<size_t>(place * shape[3]),
                               static_cast<size_t>(shape[3]));
}

std::span<const float> AttentionAnswer::Patches(int64_t layer, int64_t head, int64_t frame) const {
  return Tokens(layer, head, frame).subspan(static_cast<size_t>(special_tokens));
}

class AttentionRows::State {
 public:
  State(const std::filesystem::path& file, const std::filesystem::path& root, uint64_t most_bytes)
      : store(file, root), normalizers(store, most_bytes) {}

  AttentionAnswer Answer(const AttentionRequest& request, const StopCheck& stop_check);
  double Products(const AttentionRequest& request) const;

  QkStore store;
  RowNormalizers normalizers;

 private:
  // With what the request leaves to defaults. Throws like CheckRequest.
  AttentionRequest Complete(const AttentionRequest& request) const;
  // How many heads' normalisers are not kept.
  size_t MissingNormalizers(const AttentionRequest& request, const QkBlocks& blocks) const;

  // What one layer needs to be answered: its tensors, and for incoming probabilities the
  // normalisers of every row, a head each.
  struct LayerInput {
    size_t layer = 0;
    QkTensors tensors;
    std::vector<std::shared_ptr<const FloatBuffer>> of_rows;
  };
  LayerInput Prepare(const AnswerPlan& plan, size_t layer, AttentionWorkspace& workspace);
  // One layer and head, the mean over the query's tokens, into row [tokens]; returns the share of
  // special tokens.
  double ComputeRow(const AnswerPlan& plan, const LayerInput& input, size_t h, float* row) const;
  // All heads of one layer into out [heads or 1, frames, per_frame], and their special shares.
  void AnswerLayer(const AnswerPlan& plan, const LayerInput& input, bool parallel, float* out,
                   double* special_shares) const;
  // Picks the frames of one head's row, and reduces the heads, which come in order.
  static void Collect(const AnswerPlan& plan, size_t h, const float* row, float* out);
};

AttentionRows::State::LayerInput AttentionRows::State::Prepare(const AnswerPlan& plan, size_t layer,
                                                               AttentionWorkspace& workspace) {
  CheckStop(plan.stop_check);
  const AttentionRequest& request = plan.request;
  LayerInput input{layer, store.Layer(plan.blocks, layer), {}};
  if (NeedsNormalizers(request)) {
    for (const int head : request.heads) {
      input.of_rows.push_back(
          normalizers.Get(NormalizerKey(request, layer, head, input.tensors.version), input.tensors,
                          workspace, plan.stop_check));
    }
  }
  return input;
}

double AttentionRows::State::ComputeRow(const AnswerPlan& plan, const LayerInput& input, size_t h,
                                        float* row) const {
  const AttentionRequest& request = plan.request;
  const TokenGrid& grid = plan.grid;
  const Definition definition = request.definition;
  const int64_t dim = plan.blocks.head_dim;
  const int64_t begin = grid.first_token(plan.frames.first);
  const int64_t count = KeyCount(plan.frames, grid);
  const int64_t head_values = (request.heads[h] - 1) * grid.tokens() * dim;
  // A column of the matrix is a row of its transpose: queries and keys change places.
  const uint16_t *from = input.tensors.q + head_values, *to = input.tensors.k + head_values;
  if (request.incoming) std::swap(from, to);
  std::fill_n(row, grid.tokens(),
              IsProbability(definition) ? 0.0F : std::numeric_limits<float>::quiet_NaN());
  std::fill_n(row + begin, count, 0.0F);

  LogitRow logits(plan.blocks, grid, plan.rotation);
  const auto several = static_cast<double>(request.tokens.size());
  FloatBuffer one(request.tokens.size() > 1 ? grid.tokens() : 0);
  double special_share = 0;
  for (const int64_t token : request.tokens) {
    CheckStop(plan.stop_check);
    float* values = one.size() > 0 ? one.data() : row;
    const uint16_t* query = from + (grid.first_token(request.frame) + token) * dim;
    if (definition == Definition::kCosine) {
      logits.Cosines(query, token, to, plan.frames, values);
    } else {
      logits.Logits(query, token, to, plan.frames, values);
    }
    if (!RowIsFinite(values + begin, count)) {
      ThrowNotFinite(store.LayerPath(plan.blocks, input.layer));
    }
    if (IsProbability(definition) && request.incoming) {
      // Special tokens are no keys of this definition.
      const bool none = definition == Definition::kPatches && token < grid.special_tokens;
      if (none) {
        std::fill_n(values + begin, count, 0.0F);
      } else {
        ExponentiateEach(values + begin, input.of_rows[h]->data() + begin, count);
      }
    } else if (definition == Definition::kFrame) {
      SoftmaxFrames(grid, plan.frames, values);
    } else if (IsProbability(definition)) {
      const bool patches_only = definition == Definition::kPatches;
      special_share += SoftmaxRow(grid, plan.frames, patches_only, values) / several;
    }
    if (values != row) {
      AddScaled(values + begin, count, static_cast<float>(1 / several), row + begin);
    }
  }
  return special_share;
}

void AttentionRows::State::AnswerLayer(const AnswerPlan& plan, const LayerInput& input,
                                       bool parallel, float* out, double* special_shares) const {
  const size_t heads = plan.request.heads.size();
  if (!parallel) {
    FloatBuffer row(plan.grid.tokens());
    for (size_t h = 0; h < heads; ++h) {
      special_shares[h] = ComputeRow(plan, input, h, row.data());
      Collect(plan, h, row.data(), out);
    }
    return;
  }
  // The heads of a group at once; then each is added in its turn, whoever computed it.
  const auto group =
      std::clamp<size_t>(kMostRowBytes / (plan.grid.tokens() * sizeof(float)), 1, heads);
  FloatBuffer rows(group * plan.grid.tokens());
  for (size_t first = 0; first < heads; first += group) {
    const size_t count = std::min(group, heads - first);
    ParallelFor(count, 1, [&](size_t i) {
      special_shares[first + i] =
          ComputeRow(plan, input, first + i, rows.data() + i * plan.grid.tokens());
    });
    for (size_t i = 0; i < count; ++i) {
      Collect(plan, first + i, rows.data() + i * plan.grid.tokens(), out);
    }
  }
}

void AttentionRows::State::Collect(const AnswerPlan& plan, size_t h, const float* row, float* out) {
  const AttentionRequest& request = plan.request;
  const size_t frames = request.frames.size();
  const int64_t per_frame = plan.grid.tokens_per_frame();
  const bool reduced = request.reduction != HeadReduction::kNone;
  const auto share = static_cast<float>(1.0 / static_cast<double>(request.heads.size()));
  for (size_t f = 0; f < frames; ++f) {
    const float* from = row + request.frames[f] * per_frame;
    float* to = out + ((reduced ? 0 : h) * frames + f) * per_frame;
    if (!reduced || (h == 0 && request.reduction == HeadReduction::kMax)) {
      std::memcpy(to, from, per_frame * sizeof(float));
    } else if (request.reduction == HeadReduction::kMax) {
      TakeLarger(from, per_frame, to);
    } else {
      if (h == 0) std::fill_n(to, per_frame, 0.0F);
      AddScaled(from, per_frame, share, to);
    }
  }
}

AttentionRequest AttentionRows::State::Complete(const AttentionRequest& request) const {
  const QkBlocks& blocks = BlocksOf(store.description(), request.kind);
  AttentionRequest completed = WithDefaults(request, store.description(), blocks);
  CheckRequest(completed, store.description(), blocks);
  return completed;
}

double AttentionRows::State::Products(const AttentionRequest& asked) const {
  const AttentionRequest request = Complete(asked);
  const QkBlocks& blocks = BlocksOf(store.description(), request.kind);
  const TokenGrid grid = store.description().token_grid(blocks);
  const FrameRange range =
      AttendedFrames(blocks.attends, request.frame, grid.frames, request.incoming);
  // In double: what a foreign store claims may overflow.
  const auto keys = static_cast<double>(KeyCount(range, grid));
  const double products = static_cast<double>(request.layers.size() * request.heads.size()) *
                          static_cast<double>(request.tokens.size()) * keys;
  if (!NeedsNormalizers(request)) return products;
  const bool one_frame =
      blocks.attends == Attends::kFrame || request.definition == Definition::kFrame;
  const double of_head = static_cast<double>(grid.tokens()) *
                         static_cast<double>(one_frame ? grid.tokens_per_frame() : grid.tokens());
  return products + static_cast<double>(MissingNormalizers(request, blocks)) * of_head;
}

size_t AttentionRows::State::MissingNormalizers(const AttentionRequest& request,
                                                const QkBlocks& blocks) const {
  size_t missing = 0;
  for (const size_t layer : request.layers) {
    const uint64_t version = store.Layer(blocks, layer).version;
    for (const int head : request.heads) {
      if (!normalizers.Has(NormalizerKey(request, layer, head, version))) ++missing;
    }
  }
  return missing;
}

AttentionAnswer AttentionRows::State::Answer(const AttentionRequest& asked,
                                             const StopCheck& stop_check) {
  const AttentionRequest request = Complete(asked);
  const AnswerPlan plan(request, store.description(), stop_check);
  const size_t heads = request.heads.size();
  const bool reduced = request.reduction != HeadReduction::kNone;
  AttentionAnswer answer;
  answer.shape = {static_cast<int64_t>(request.layers.size()),
                  reduced ? 1 : static_cast<int64_t>(heads),
                  static_cast<int64_t>(request.frames.size()), plan.grid.tokens_per_frame()};
  answer.special_tokens = plan.grid.special_tokens;
  answer.values = FloatBuffer(NumElements(answer.shape));
  const int64_t of_layer = NumElements(answer.shape) / answer.shape[0];
  std::vector<double> shares(request.layers.size() * heads);
  const auto answer_layer = [&](size_t i, bool parallel) {
    AttentionWorkspace workspace;  // for normalisers
    const LayerInput input = Prepare(plan, request.layers[i], workspace);
    AnswerLayer(plan, input, parallel, answer.values.data() + i * of_layer,
                shares.data() + i * heads);
    input.tensors.mapping->CheckIntact();
  };
  // Of many layers each thread takes whole ones: its rows stay in its cache.
  const bool many = request.layers.size() >= 2 * static_cast<size_t>(ThreadCount());
  if (many && (!NeedsNormalizers(request) || MissingNormalizers(request, plan.blocks) == 0)) {
    ParallelFor(request.layers.size(), 1, [&](size_t i) { answer_layer(i, false); });
  } else {
    for (size_t i = 0; i < request.layers.size(); ++i) answer_layer(i, true);
  }
  if (request.definition == Definition::kPatches && !request.incoming) {
    answer.dropped = std::move(shares);
    if (reduced) {
      for (size_t i = 0; i < request.layers.size(); ++i) {
        double sum = 0;
        for (size_t h = 0; h < heads; ++h) sum += answer.dropped[i * heads + h];
        answer.dropped[i] = sum / static_cast<double>(heads);
      }
      answer.dropped.resize(request.layers.size());
    }
  }
  return answer;
}

AttentionRows::AttentionRows(const std::filesystem::path& file, const std::filesystem::path& root,
                             uint64_t most_bytes)
    : state_(std::make_unique<State>(file, root, most_bytes)) {}

AttentionRows::AttentionRows(AttentionRows&&) noexcept = default;
AttentionRows& AttentionRows::operator=(AttentionRows&&) noexcept = default;
AttentionRows::~AttentionRows() = default;

AttentionRows AttentionRows::Open(const std::filesystem::path& path) {
  const std::filesystem::path file = FindQkDescription(path);
  if (file.empty()) {
    throw MissingFile("holds no queries and keys to compute attention from", path.string());
  }
  return AttentionRows(file);
}

const QkStore& AttentionRows::store() const { return state_->store; }

TokenGrid AttentionRows::grid(BlockKind kind) const {
  const QkDescription& description = store().description();
  return description.token_grid(BlocksOf(description, kind));
}

AttentionAnswer AttentionRows::Answer(const AttentionRequest& request,
                                      const StopCheck& stop_check) const {
  return state_->Answer(request, stop_check);
}

double AttentionRows::Products(const AttentionRequest& request) const {
  return state_->Products(request);
}

}  // namespace vggt
