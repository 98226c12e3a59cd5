// SPDX-License-Identifier: Apache-2.0
// The addresses below /api/report/ (docs/http-api.md): numbers about a whole model.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "analysis/report_table.h"
#include "core/parallel.h"
#include "server/compute_lanes.h"
#include "server/export_catalog.h"
#include "server/message.h"
#include "server/report_tables.h"
#include "server/report_worker.h"

namespace vggt {

// From any number of threads.
class ReportRoutes {
 public:
  static constexpr const char* kBegin = "/api/report/";

  // What has to be computed for a single answer is computed in the long lane of `lanes`, which
  // outlive this.
  explicit ReportRoutes(ComputeLanes& lanes) : lanes_(lanes) {}

  // Answers a GET of an address that begins with kBegin. Throws Refusal, and RequestError for
  // values of parameters.
  Response Answer(const Request& request, const std::shared_ptr<const OpenedExport>& opened,
                  const StopCheck& stop_check);

 private:
  using Opened = std::shared_ptr<const OpenedExport>;

  Response Heads(const Request& request, const Opened& opened);
  Response FrameMass(const Request& request, const Opened& opened, const StopCheck& stop_check);
  Response Similar(const Request& request, const Opened& opened, const StopCheck& stop_check);
  Response Table(const Request& request, const std::string& name, const Opened& opened,
                 const StopCheck& stop_check);
  struct MadeTables {
    std::vector<ReportTable> tables;
    std::string left_out;  // "global layer_03": the layers that could not be computed
  };
  using Tables = std::shared_ptr<const MadeTables>;
  Tables Kept(const ReportTableMaker& maker, const Opened& opened, const std::string& version);
  Tables Made(const ReportTableMaker& maker, const Opened& opened, const StopCheck& stop_check);

  // Tables that were made: whoever asks for one's JSON asks for its arrays, or for another, next.
  struct KeptTables {
    std::string id, version;
    MakeTables make;
    Tables tables;
  };
  // What was computed before its answer's time was over, of the export that was asked for last.
  template <typename Part>
  struct Begun {
    std::string id, version;
    Part part;

    // Empty if it is of another.
    Part& Of(const std::string& of_id, const std::string& of_version) {
      if (id != of_id || version != of_version) *this = {of_id, of_version, {}};
      return part;
    }
  };

  ComputeLanes& lanes_;
  ReportWorker worker_;
  std::mutex mutex_;
  std::deque<KeptTables> kept_;  // the newest first
  // Used in the long lane alone.
  Begun<std::vector<LayerSparsity>> sparsity_;
  Begun<std::optional<MatchBoard>> matches_;
};

}  // namespace vggt
