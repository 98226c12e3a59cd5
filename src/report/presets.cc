// SPDX-License-Identifier: Apache-2.0
#include "report/presets.h"

#include <algorithm>

namespace vggt {
namespace {

constexpr ReportPreset kReportPresets[] = {
    {"seed", "query", "the Python toolkit whose exports this program reads",
     "Softmax over patch keys alone, so that special tokens count for nothing; mean over heads; "
     "each layer's colours end at the 99th percentile of its values; colour map jet."},
    {"fastvggt", "query", "FastVGGT (2025)",
     "Logits q·k/√d without softmax, mean over heads; each layer's colours go from its least value "
     "to its largest."},
    {"robustvggt", "views", "RobustVGGT (CVPR 2026)",
     "Attention and feature scores of each picture against the first, of the last global layer, "
     "before RoPE."},
    {"vggt4d", "dynamic", "VGGT4D (2025)",
     "Statistics of the Gram matrices of queries and keys over neighbouring pictures, each from "
     "its least value to its largest, multiplied."},
    {"spark", "views", "VGGT-SPARK and VGGT-SLAM 2.0 (2026)",
     "The match score of pairs of pictures: a softmax over queries for each key, compared with "
     "the best that the other picture's own queries reach."},
    {"omega-proxy", "anchors", "the study of register tokens in VGGT-Omega",
     "How much of the attention patches keep if a few of them stand for all: those that the "
     "registers of other pictures attend to, against the best, random and evenly spaced ones."},
    {"poincar3", "layer_match", "poincar3 (2026)",
     "Logits of both directions, mean over several layers and heads, softmax over the other "
     "picture's patches: one match for each patch."},
};

}  // namespace

std::span<const ReportPreset> ReportPresets() { return kReportPresets; }

const ReportPreset* FindReportPreset(std::string_view name) {
  const auto found = std::ranges::find(kReportPresets, name, &ReportPreset::name);
  return found == std::end(kReportPresets) ? nullptr : &*found;
}

}  // namespace vggt
