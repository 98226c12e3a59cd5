// SPDX-License-Identifier: Apache-2.0
// Checkpoints that anyone can make again: the specification's synthetic weights, for tests and
// benchmarks at any size.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/tensor.h"
#include "model/heads_plan.h"
#include "model/plan.h"

namespace vggt {

struct SyntheticPreset {
  const char* name;
  const char* about;
  ModelPlan plan;
};

// vggt-1b and smaller ones.
const std::vector<SyntheticPreset>& SyntheticPresets();

// Values of the tensor with this full name ("aggregator.…"), row-major: splitmix64 over (seed,
// FNV-1a of the name, index), spread as suits the kind of tensor; of masks whether that is at least
// 0; periods are 100^(i / count), rounded to bfloat16. Bit for bit the specification's
// synthetic_tensor() (tests/reference).
FloatBuffer SyntheticTensor(const std::string& name, const Shape& shape, uint64_t seed);

// Camera, depth and point head of a model, with VGGT-1B's proportions: its own for 1024 channels.
HeadsPlan SyntheticHeads(const ModelPlan& plan);

// Writes a safetensors file of all the tensors of a whole plan, as F32, F16 or BF16, and of its
// heads if there are any. `progress` is called with the share done, in (0, 1], and may throw to
// stop: then nothing is left behind.
void WriteSyntheticCheckpoint(const std::filesystem::path& path, const ModelPlan& plan, DType dtype,
                              uint64_t seed, const std::function<void(double)>& progress = {},
                              AtomicOptions options = {}, const HeadsPlan& heads = {});

}  // namespace vggt
