// SPDX-License-Identifier: Apache-2.0
#include "report/sections.h"

#include <algorithm>

#include "report/anchors_section.h"
#include "report/dynamic_section.h"
#include "report/epipolar_section.h"
#include "report/layer_match_section.h"
#include "report/layers_section.h"
#include "report/lens_section.h"
#include "report/matches_section.h"
#include "report/query_section.h"
#include "report/similarity_section.h"
#include "report/sparsity_section.h"
#include "report/tokens_section.h"
#include "report/views_section.h"

namespace vggt {
namespace {

constexpr SectionInfo kReportSections[] = {
    {"layers", "curves of all layers, and every head", LayersSection},
    {"query", "where one patch looks, in layers and heads", QuerySection},
    {"views", "pictures × pictures and scores of pictures", ViewsSection},
    {"tokens", "special tokens, hubs and the first picture", TokensSection},
    {"matches", "heads held against known matches", MatchesSection, false},
    {"epipolar", "attention along epipolar lines", EpipolarSection, false},
    {"lens", "cameras and depth after each layer", LensSection, false},
    {"sparsity", "what sparse attention would keep", SparsitySection},
    {"similarity", "how alike tokens are", SimilaritySection},
    {"dynamic", "what moves (video)", DynamicSection, false},
    {"anchors", "anchors and registers", AnchorsSection, false},
    {"layer_match", "matches over all layers together", LayerMatchSection, false},
};

}  // namespace

std::span<const SectionInfo> ReportSections() { return kReportSections; }

const SectionInfo* FindReportSection(std::string_view name) {
  const auto found = std::ranges::find(kReportSections, name, &SectionInfo::name);
  return found == std::end(kReportSections) ? nullptr : &*found;
}

}  // namespace vggt
