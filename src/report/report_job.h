// SPDX-License-Identifier: Apache-2.0
// A report from exports to a folder: figures, tables and a page, for any program that wants one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/parallel.h"

namespace vggt {

struct ReportOptions {
  std::vector<std::filesystem::path> exports;  // at least one, with queries and keys
  std::filesystem::path out;                   // the folder of the report; must be given
  bool overwrite = false;                      // replace the report that is there
  std::vector<std::string> only;  // names of sections (report/sections.h); empty: the usual
  std::string preset;             // a published definition (report/presets.h); "": none
  // Patch queries of each picture that numbers are taken of; 0: all; absent: all, or as many as
  // a usual amount of computing allows (analysis/statistics_cache.h).
  std::optional<int64_t> rows;
  uint64_t seed = 1;  // of whatever is drawn at random
  // Known matches between pictures, or cameras and depth; at most one of both; empty: none.
  std::filesystem::path matches, geometry;
  std::string creator = "vggt-attn";  // what the files say of their program
};

// What is being done, and which share of it has been: called often, on the thread that runs the
// job.
using ReportProgress = std::function<void(const std::string& stage, double share)>;

struct ReportSummary {
  std::filesystem::path out;
  int64_t scenes = 0, sections = 0, figures = 0, tables = 0;
  uint64_t bytes = 0;              // of all files
  std::vector<std::string> notes;  // what could not be made, and files that were kept
  double seconds = 0;              // of wall time
};

// Writes
//   index.html                       the page; it needs no other file
//   report.json                      definitions, samples, options, hashes, list of files
//   data/NAME.csv, data/NAME.npz     the tables; .csv if it has rows
//   figures/NAME.svg, .pdf, .png     the figures
// Of several exports, data/ and figures/ have a folder for each, named like the export, and
// data/scenes.csv, .npz hold the means and spreads over them. The folder appears when it is
// complete, and not at all if anything throws. With `overwrite` a report that stands there is
// replaced; files in its folder that no report wrote are kept. The same exports and options give
// the same bytes, whatever the number of threads.
//
// Throws Error, before anything is computed, if `out` stands already and may not be replaced, if an
// export cannot be opened or has no queries and keys, if exports do not fit one table, if a name in
// `only` or `preset` is none, or if `matches` or `geometry` does not exist, both are given, or
// neither is and `only` names the section that needs one; then if a layer's numbers cannot be
// computed. A section that cannot be made of this export, and was not asked for by name, is a note.
ReportSummary MakeReport(const ReportOptions& options, const ReportProgress& progress = {},
                         const StopCheck& stop_check = {});

// The files of the report in `folder`, as paths relative to it, by its own list; of an empty folder
// none. Throws Error if it holds no report.
std::set<std::filesystem::path> ListReportFiles(const std::filesystem::path& folder);

}  // namespace vggt
