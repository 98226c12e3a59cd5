// SPDX-License-Identifier: Apache-2.0
// What a report says of itself, report.json: enough to make it again and to know what it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "report/html_page.h"
#include "report/input_hash.h"
#include "report/report_job.h"

namespace vggt {

struct ReportFile {
  std::string path;  // relative to the report
  uint64_t bytes = 0;
};

struct ReportSceneJson {
  std::string name, title;
  const QkDescription* description = nullptr;
  std::string sample;
  InputHash hash;
};

struct ReportJson {
  const ReportOptions* options = nullptr;
  std::vector<ReportSceneJson> scenes;
  const std::vector<PageSection>* sections = nullptr;
  std::vector<ReportFile> files;  // but for report.json itself
};

// {"format": "vggt-attn-report", "format_version": 1, "generator", "options", "hash", "exports",
// "sections": [{"name", "title", "export", "findings", "notes", "figures", "tables"}], "files"}.
// It names no folder of the machine that it was made on: of `matches` and `geometry` it has the
// name alone.
std::string ReportJsonText(const ReportJson& report);

// The files that a report.json lists. Throws Error if it is none of ours.
std::vector<std::string> FilesInReportJson(const std::filesystem::path& file);

}  // namespace vggt
