// SPDX-License-Identifier: Apache-2.0
// The parts of a report: what each is made of, figures with their tables, and the only list of
// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/layer_statistics.h"
#include "analysis/report_table.h"
#include "analysis/row_sample.h"
#include "core/parallel.h"
#include "geometry/scene_geometry.h"
#include "geometry/scene_matches.h"
#include "image/picture.h"
#include "report/chart.h"
#include "store/export/export_reader.h"
#include "store/qk/qk_store.h"

namespace vggt {

// What a section is made of: one export.
struct SectionInput {
  const Export& source;
  const QkStore& store;
  std::optional<int64_t> rows;  // patch queries of each picture, 0 all; absent: within the budget
  uint64_t seed = 1;            // of whatever is drawn at random
  std::string preset;           // "" or the name of a published definition (report/presets.h)
  const SceneMatches* matches = nullptr;  // what is known of the scene besides; null: nothing
  // Of a block and a place in the layers of its kind: computed at the first call, then kept. What
  // it gives stays as long as the report is made.
  std::function<const LayerStatistics&(BlockKind, size_t layer)> statistics;
  // A frame's picture; without pixels if its file cannot be read.
  std::function<ChartPicture(size_t frame)> picture;
  StopCheck stop_check;
  std::function<void(double)> progress;  // from 0 to 1; may be empty
  // Cameras, and depth where it is known, also if `matches` are of points alone; null: not known.
  const SceneGeometry* geometry = nullptr;
  // If these were given beside an export that has its own: the export's, to stand beside them.
  const SceneMatches* own_matches = nullptr;
  const SceneGeometry* own_geometry = nullptr;
};

// A picture among the data, made when it is written.
struct SectionPicture {
  std::string name;  // "dynamic_mask_00"
  std::function<Picture()> make;
};

struct Section {
  std::string name;                   // in --only: "layers"
  std::string title;                  // "How attention changes through the layers"
  std::vector<std::string> findings;  // whole sentences, read off the numbers
  std::vector<std::string> notes;     // what could not be made, and why
  std::vector<Chart> charts;
  std::vector<ReportTable> tables;
  std::vector<SectionPicture> pictures = {};
};

struct SectionInfo {
  const char* name;   // "layers"
  const char* about;  // for help: "curves of all layers, and every head"
  Section (*make)(const SectionInput& input);
  bool usual = true;  // made if nobody says which
};

// In the order in which they stand in a report.
std::span<const SectionInfo> ReportSections();
// Null if there is none of that name.
const SectionInfo* FindReportSection(std::string_view name);

}  // namespace vggt
