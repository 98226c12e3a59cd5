// SPDX-License-Identifier: Apache-2.0
// The API (docs/http-api.md) and the page: turns a request into an answer. It knows no sockets.
#pragma once

#include <chrono>

#include "core/parallel.h"
#include "server/access.h"
#include "server/compute_lanes.h"
#include "server/export_catalog.h"
#include "server/geometry_answer.h"
#include "server/message.h"
#include "server/report_routes.h"

namespace vggt {

// From any number of threads.
class Routes {
 public:
  // Called where loops use all threads that there are for answers (ThreadCount). An answer that is
  // not computed within `answer_time` is given up.
  // `base_url`, "" or as "/proxy/7860": where a proxy puts the page. Addresses are answered with
  // and without it.
  Routes(ExportCatalog& catalog, AccessRule access,
         std::chrono::milliseconds answer_time = kAnswerTime, std::string base_url = "")
      : catalog_(catalog),
        access_(std::move(access)),
        answer_time_(answer_time),
        base_url_(std::move(base_url)) {}

  // Answers about an export name it in the header X-Export, percent-encoded. Whatever goes wrong
  // becomes an answer with a status of 400 or more and {"error": {"what", "where", "hint"}}; only
  // want of memory for that answer throws. Long work is given up when the request is abandoned.
  Response Handle(const Request& request) const;

 private:
  Response Answer(const Request& request) const;
  Response AnswerApi(const Request& request) const;
  Response AnswerAbout(const Request& request, const OpenedExport& opened) const;
  Response Maps(const Request& request, const OpenedExport& opened, bool as_json) const;
  Response Rows(const Request& request, const OpenedExport& opened, bool as_json) const;
  Response Made(const Request& request, const OpenedExport& opened) const;
  Response Geometry(const Request& request,
                    const std::shared_ptr<const OpenedExport>& opened) const;
  std::shared_ptr<const OpenedExport> Open(const Request& request) const;

  ExportCatalog& catalog_;
  AccessRule access_;
  std::chrono::milliseconds answer_time_;
  std::string base_url_;
  // Of the lanes. Threads that answer clients work alone, so that ThreadCount() is 1 there.
  const int threads_ = ThreadCount();
  mutable ComputeLanes lanes_;
  mutable ReportRoutes reports_{lanes_};
  mutable GeometryAnswers geometry_;
};

}  // namespace vggt
