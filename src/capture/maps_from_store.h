// SPDX-License-Identifier: Apache-2.0
// The classic maps of queries and keys that are stored already, as recordings from PyTorch have
// them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/parallel.h"

namespace vggt {

// As in CaptureOptions (capture_options.h).
struct MapOptions {
  int64_t stride_h = 1, stride_w = 1;
  bool save_per_head = false;
  bool compress = true;
};

// Writes attn_maps/ beside the qk/ that is in `folder`: maps of all stored global blocks, as
// exports have them (docs/formats.md). They are computed from what is stored, in float16, so that a
// level may differ by one from that of an export, which computes them from float32. `stop_check`
// is called before each layer.
//
// Throws OptionError (capture_options.h) for strides below 1, and Error if there are no global
// blocks, if these attend to earlier frames alone, if memory does not suffice, and as
// QkStore::Layer does. What is written until then stays.
void WriteMapsFromStore(const std::filesystem::path& folder, const MapOptions& options,
                        const StopCheck& stop_check = {});

}  // namespace vggt
