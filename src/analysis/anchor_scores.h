// SPDX-License-Identifier: Apache-2.0
// Which patches would do as keys for all pictures: scores of patches as anchors, and how much of
// the attention between pictures a choice of them keeps. After a public study of register-mediated
// paths in VGGT-Omega's global attention; its definitions are kept, also where they count part of
// the keys alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/row_sample.h"
#include "analysis/view_scores.h"
#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Of one layer of global blocks; each is a mean over heads of values after RoPE.
struct AnchorScores {
  TokenGrid grid;

  // Of the softmax over the patch keys of the query's OWN picture alone, [frames]: the mean over a
  // picture's patch queries of the entropy (nats), of the probability of the query itself, and of
  // the mass further away than a quarter of the grid's longer side (Euclidean, in cells).
  std::vector<double> local_entropy, local_self_mass, local_far_mass;
  // [frames, patches]: what a patch gets in that softmax from all queries of its picture.
  std::vector<double> local_mass;

  // What reaches a patch through registers, [frames, patches]: the sum over its picture's registers
  // r of received(r) · given(r, patch). received: the sum over the registers of OTHER pictures of
  // the softmax over all registers alone; given: the softmax over the patches of r's picture alone.
  // Registers are all special tokens but the first, or the first if there is no other; empty if
  // there are none.
  std::vector<double> register_score;
  // The mean over pairs of registers of pictures a and b of that softmax over registers.
  PairScores register_graph{0};

  // [frames, patches]: the mean over the sampled patch queries of ALL pictures of a patch's
  // probability in the model's softmax over all keys, where queries of its own picture count 0.
  std::vector<double> direct;
  double cross_mass = 0;  // the sum of `direct`: mass on patches of other pictures
};

// `layer` is a place among the global layers. Throws Error as StoredRows and GlobalBlocksOfSeveral.
// The result does not depend on the number of threads.
AnchorScores ComputeAnchorScores(const QkStore& store, size_t layer, const RowSample& sample,
                                 const StopCheck& stop_check = {});

// [frames, patches]: the register score plus 0.2 of the local mass, both divided by their sums in
// each picture. Without registers the latter alone.
std::vector<double> RegisterAndLocalScore(const AnchorScores& scores);

// How anchors are chosen. kOracle takes the patches with most direct mass, wherever they are. The
// others give each picture one anchor, and share out the rest: of kRegisters and
// kRegistersAndLocal nine tenths by the pictures' sums of scores and one tenth equally, of others
// all equally. In a picture they take the best by the score, patches that are evenly spaced
// (analysis/row_sample.h), or random ones.
enum class AnchorChoice { kOracle, kRegisters, kRegistersAndLocal, kLocal, kEven, kRandom };

struct AnchorChoiceInfo {
  AnchorChoice choice;
  const char* name;   // in tables: "registers"
  const char* label;  // in legends
};
std::span<const AnchorChoiceInfo> AnchorChoices();

// ⌈share · patches of all pictures⌉ of them, at least one of each picture, ascending, as frame ·
// patches + patch. 0 < share ≤ 1. Of equal scores the first is taken. `seed` is that of kRandom.
// Throws Error if registers are asked for and there are none.
std::vector<int64_t> ChooseAnchors(const AnchorScores& scores, AnchorChoice choice, double share,
                                   uint64_t seed);

// The share of `direct` that lies on the anchors; NaN if there is no direct mass.
double KeptMass(const AnchorScores& scores, std::span<const int64_t> anchors);

}  // namespace vggt
