// SPDX-License-Identifier: Apache-2.0
#include "attention/attention_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "attention/relative_rotation.h"
#include "attention/row_normalizers.h"
#include "attention/softmax_groups.h"
#include "core/error.h"
#include "core/parallel.h"
#include "ops/half_rows.h"

namespace vggt {
namespace {

// Rows of that many bytes are in memory at a time, before heads are reduced.
constexpr size_t kMostRowBytes = 64 << 20;

constexpr float kLowest = -std::numeric_limits<float>::max();

// What all tasks of a query share.
struct Plan {
  Plan(const AttentionRequest& r, const QkDescription& d, const QkBlocks& b, const StopCheck& c)
      : request(r),
        description(d),
        blocks(b),
        per_frame(d.tokens_per_frame(b)),
        tokens(d.frames * per_frame),
        rotation(RotationTable(b, d.H_p, d.W_p, r.before_rope)),
        range(AttendedFrames(b.attends, r.frame, d.frames, r.incoming)),
        stop_check(c) {}

  const AttentionRequest& request;
  const QkDescription& description;
  const QkBlocks& blocks;
  int64_t per_frame, tokens;
  std::shared_ptr<const RopeTable> rotation;
  FrameRange range;  // of the frames with other values than 0
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

// Logits of one query in one head, with all tokens of the frames in the plan's range.
class LogitRow {
 public:
  explicit LogitRow(const Plan& plan)
      : plan_(plan),
        rotation_(plan.blocks, plan.description.H_p, plan.description.W_p, plan.rotation),
        query_(plan.blocks.head_dim) {}

  // `from`: the head's queries, `to`: its keys, [tokens, head_dim]; incoming: the reverse. out
  // [tokens]; what lies outside the range is left as it is.
  void Compute(const uint16_t* from, const uint16_t* to, int64_t token, float* out) {
    const QkBlocks& blocks = plan_.blocks;
    const int64_t dim = blocks.head_dim, width = plan_.description.W_p;
    const uint16_t* stored = from + (plan_.request.frame * plan_.per_frame + token) * dim;
    const bool cosine = plan_.request.definition == Definition::kCosine;
    double squares = 0;
    for (int64_t c = 0; c < dim; ++c) {
      query_[c] = F16ToF32(stored[c]);
      squares += static_cast<double>(query_[c]) * query_[c];
    }
    const double length = std::sqrt(squares);
    const auto scale = static_cast<float>(cosine ? (length > 0 ? 1 / length : 0) : blocks.scale);
    for (int64_t c = 0; c < dim; ++c) query_[c] *= scale;
    rotation_.Set(query_.data(), PositionOf(blocks, width, token));

    const int64_t first = rotation_.first_dim(), second = rotation_.second_dim();
    for (int64_t frame = plan_.range.first; frame < plan_.range.last; ++frame) {
      const uint16_t* keys = to + frame * plan_.per_frame * dim;
      float* row = out + frame * plan_.per_frame;
      DotHalves(rotation_.special(), first, rotation_.special() + first, second, 0, keys,
                blocks.specials(), row);
      keys += blocks.specials() * dim;
      row += blocks.specials();
      for (int64_t r = 0; r < plan_.description.H_p; ++r, keys += width * dim, row += width) {
        DotHalves(rotation_.row(r), first, rotation_.columns(), second, second, keys, width, row);
      }
    }
    if (cosine) DivideByNorms(to, out);
  }

 private:
  void DivideByNorms(const uint16_t* keys, float* out) {
    const int64_t begin = plan_.range.first * plan_.per_frame;
    const int64_t count = (plan_.range.last - plan_.range.first) * plan_.per_frame;
    norms_.resize(count);
    SquaredNorms(keys + begin * plan_.blocks.head_dim, count, plan_.blocks.head_dim, norms_.data());
    for (int64_t i = 0; i < count; ++i) {
      const float norm = std::sqrt(norms_[i]);
      if (norm != 0) out[begin + i] /= norm;  // a key of zeros has no direction: its cosine is 0
    }
  }

  const Plan& plan_;
  RelativeRotation rotation_;
  FloatBuffer query_;
  std::vector<float> norms_;
};

// The softmax of a whole row of logits in place; returns the special tokens' share. Only patches
// count if `patches`; the special tokens' own values become 0 then.
double SoftmaxRow(const Plan& plan, bool patches, float* row) {
  const int64_t specials = plan.blocks.specials(), count = plan.per_frame - specials;
  float special_max = kLowest, patch_max = kLowest;
  for (int64_t f = plan.range.first; f < plan.range.last; ++f) {
    const float* frame = row + f * plan.per_frame;
    special_max = LargestOf(frame, specials, special_max);
    patch_max = LargestOf(frame + specials, count, patch_max);
  }
  // Each group by its own maximum, so that patches keep their digits however large the special
  // tokens' logits are.
  double special_sum = 0, patch_sum = 0;
  for (int64_t f = plan.range.first; f < plan.range.last; ++f) {
    float* frame = row + f * plan.per_frame;
    special_sum += Exponentiate(frame, specials, special_max);
    patch_sum += Exponentiate(frame + specials, count, patch_max);
  }
  const double max = std::max(special_max, patch_max);
  const double special_factor = std::exp(special_max - max),
               patch_factor = std::exp(patch_max - max);
  const double total = special_sum * special_factor + patch_sum * patch_factor;
  const auto of_specials = static_cast<float>(patches ? 0 : special_factor / total);
  const auto of_patches = static_cast<float>(patches ? 1 / patch_sum : patch_factor / total);
  for (int64_t f = plan.range.first; f < plan.range.last; ++f) {
    float* frame = row + f * plan.per_frame;
    for (int64_t i = 0; i < specials; ++i) frame[i] *= of_specials;
    for (int64_t i = specials; i < plan.per_frame; ++i) frame[i] *= of_patches;
  }
  return special_sum * special_factor / total;
}

// The softmax of each frame by itself.
void SoftmaxFrames(const Plan& plan, float* row) {
  for (int64_t f = plan.range.first; f < plan.range.last; ++f) {
    float* frame = row + f * plan.per_frame;
    const float max = LargestOf(frame, plan.per_frame, kLowest);
    const double total = Exponentiate(frame, plan.per_frame, max);
    const auto factor = static_cast<float>(1 / total);
    for (int64_t i = 0; i < plan.per_frame; ++i) frame[i] *= factor;
  }
}

}  // namespace

class AttentionRows::State {
 public:
  State(const std::filesystem::path& file, const std::filesystem::path& root, uint64_t most_bytes)
      : store(file, root), normalizers(store, most_bytes) {}

  AttentionAnswer Answer(const AttentionRequest& request, const StopCheck& stop_check);
  double Products(const AttentionRequest& request) const;

  QkStore store;
  RowNormalizers normalizers;

 private:
  const QkBlocks& BlocksOf(const AttentionRequest& request) const;
  // How many heads' normalisers are not kept.
  size_t MissingNormalizers(const AttentionRequest& request, const QkBlocks& blocks) const;

  // What one layer needs to be answered: its tensors, and for incoming probabilities the
  // normalisers of every row, a head each.
  struct LayerInput {
    size_t layer = 0;
    QkTensors tensors;
    std::vector<std::shared_ptr<const FloatBuffer>> of_rows;
  };
  LayerInput Prepare(const Plan& plan, size_t layer, AttentionWorkspace& workspace);
  // One layer and head, the mean over the query's tokens, into row [tokens]; returns the share of
  // special tokens.
  double ComputeRow(const Plan& plan, const LayerInput& input, size_t h, float* row) const;
  // All heads of one layer into out [heads or 1, frames, per_frame], and their special shares.
  void AnswerLayer(const Plan& plan, const LayerInput& input, bool parallel, float* out,
                   double* special_shares) const;
  // Picks the frames of one head's row, and reduces the heads, which come in order.
  static void Collect(const Plan& plan, size_t h, const float* row, float* out);
};

AttentionRows::State::LayerInput AttentionRows::State::Prepare(const Plan& plan, size_t layer,
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

double AttentionRows::State::ComputeRow(const Plan& plan, const LayerInput& input, size_t h,
                                        float* row) const {
  const AttentionRequest& request = plan.request;
  const int64_t begin = plan.range.first * plan.per_frame;
  const int64_t count = (plan.range.last - plan.range.first) * plan.per_frame;
  const int64_t head_values = (request.heads[h] - 1) * plan.tokens * plan.blocks.head_dim;
  const uint16_t *from = input.tensors.q + head_values, *to = input.tensors.k + head_values;
  if (request.incoming) std::swap(from, to);
  std::fill_n(row, plan.tokens,
              IsProbability(request.definition) ? 0.0F : std::numeric_limits<float>::quiet_NaN());
  std::fill_n(row + begin, count, 0.0F);

  LogitRow logits(plan);
  const auto several = static_cast<double>(request.tokens.size());
  FloatBuffer one(request.tokens.size() > 1 ? plan.tokens : 0);
  double special_share = 0;
  for (const int64_t token : request.tokens) {
    CheckStop(plan.stop_check);
    float* values = one.size() > 0 ? one.data() : row;
    logits.Compute(from, to, token, values);
    if (!RowIsFinite(values + begin, count)) {
      throw Error("holds queries or keys that are infinite or not a number",
                  store.LayerPath(plan.blocks, input.layer).string(),
                  "The file is damaged, or the model that was recorded diverged.");
    }
    if (IsProbability(request.definition) && request.incoming) {
      // Special tokens are no keys of this definition.
      const bool none =
          request.definition == Definition::kPatches && token < plan.blocks.specials();
      if (none) {
        std::fill_n(values + begin, count, 0.0F);
      } else {
        ExponentiateEach(values + begin, input.of_rows[h]->data() + begin, count);
      }
    } else if (request.definition == Definition::kFrame) {
      SoftmaxFrames(plan, values);
    } else if (IsProbability(request.definition)) {
      special_share +=
          SoftmaxRow(plan, request.definition == Definition::kPatches, values) / several;
    }
    if (values != row) {
      AddScaled(values + begin, count, static_cast<float>(1 / several), row + begin);
    }
  }
  return special_share;
}

void AttentionRows::State::AnswerLayer(const Plan& plan, const LayerInput& input, bool parallel,
                                       float* out, double* special_shares) const {
  const size_t heads = plan.request.heads.size();
  if (!parallel) {
    FloatBuffer row(plan.tokens);
    for (size_t h = 0; h < heads; ++h) {
      special_shares[h] = ComputeRow(plan, input, h, row.data());
      Collect(plan, h, row.data(), out);
    }
    return;
  }
  // The heads of a group at once; then each is added in its turn, whoever computed it.
  const auto group = std::clamp<size_t>(kMostRowBytes / (plan.tokens * sizeof(float)), 1, heads);
  FloatBuffer rows(group * plan.tokens);
  for (size_t first = 0; first < heads; first += group) {
    const size_t count = std::min(group, heads - first);
    ParallelFor(count, 1, [&](size_t i) {
      special_shares[first + i] = ComputeRow(plan, input, first + i, rows.data() + i * plan.tokens);
    });
    for (size_t i = 0; i < count; ++i) {
      Collect(plan, first + i, rows.data() + i * plan.tokens, out);
    }
  }
}

void AttentionRows::State::Collect(const Plan& plan, size_t h, const float* row, float* out) {
  const AttentionRequest& request = plan.request;
  const size_t frames = request.frames.size();
  const bool reduced = request.reduction != HeadReduction::kNone;
  const auto share = static_cast<float>(1.0 / static_cast<double>(request.heads.size()));
  for (size_t f = 0; f < frames; ++f) {
    const float* from = row + request.frames[f] * plan.per_frame;
    float* to = out + ((reduced ? 0 : h) * frames + f) * plan.per_frame;
    if (!reduced || (h == 0 && request.reduction == HeadReduction::kMax)) {
      std::memcpy(to, from, plan.per_frame * sizeof(float));
    } else if (request.reduction == HeadReduction::kMax) {
      TakeLarger(from, plan.per_frame, to);
    } else {
      if (h == 0) std::fill_n(to, plan.per_frame, 0.0F);
      AddScaled(from, plan.per_frame, share, to);
    }
  }
}

const QkBlocks& AttentionRows::State::BlocksOf(const AttentionRequest& request) const {
  const QkBlocks* blocks = store.description().Find(request.kind);
  if (blocks == nullptr) {
    throw Error(fmt::format("the store has no {} blocks", BlockKindName(request.kind)), "",
                BlocksText(store.description()));
  }
  CheckRequest(request, store.description(), *blocks);
  return *blocks;
}

double AttentionRows::State::Products(const AttentionRequest& request) const {
  const QkBlocks& blocks = BlocksOf(request);
  const QkDescription& d = store.description();
  const auto per_frame = static_cast<double>(d.tokens_per_frame(blocks));
  const auto frames = static_cast<double>(d.frames);
  const FrameRange range =
      AttendedFrames(blocks.attends, request.frame, d.frames, request.incoming);
  const double keys = static_cast<double>(range.last - range.first) * per_frame;
  const double products = static_cast<double>(request.layers.size() * request.heads.size()) *
                          static_cast<double>(request.tokens.size()) * keys;
  if (!NeedsNormalizers(request)) return products;
  const bool one_frame =
      blocks.attends == Attends::kFrame || request.definition == Definition::kFrame;
  const double of_head = frames * per_frame * per_frame * (one_frame ? 1 : frames);
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

AttentionAnswer AttentionRows::State::Answer(const AttentionRequest& request,
                                             const StopCheck& stop_check) {
  const Plan plan(request, store.description(), BlocksOf(request), stop_check);
  const size_t heads = request.heads.size();
  const bool reduced = request.reduction != HeadReduction::kNone;
  AttentionAnswer answer;
  answer.shape = {static_cast<int64_t>(request.layers.size()),
                  reduced ? 1 : static_cast<int64_t>(heads),
                  static_cast<int64_t>(request.frames.size()), plan.per_frame};
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
AttentionRows::~AttentionRows() = default;

const QkStore& AttentionRows::store() const { return state_->store; }

AttentionAnswer AttentionRows::Answer(const AttentionRequest& request,
                                      const StopCheck& stop_check) {
  return state_->Answer(request, stop_check);
}

double AttentionRows::Products(const AttentionRequest& request) const {
  return state_->Products(request);
}

}  // namespace vggt
