// SPDX-License-Identifier: Apache-2.0
// The API (docs/http-api.md) and the page: a request in, an answer out, no socket.
#pragma once

#include "server/access.h"
#include "server/export_catalog.h"
#include "server/message.h"

namespace vggt {

// From any number of threads.
class Routes {
 public:
  Routes(ExportCatalog& catalog, AccessRule access)
      : catalog_(catalog), access_(std::move(access)) {}

  // Never throws but for want of memory: what goes wrong is an answer with a status of 400 or more
  // and {"error": {"what", "where", "hint"}}.
  Response Handle(const Request& request) const;

 private:
  Response Answer(const Request& request) const;
  Response AnswerApi(const Request& request) const;
  Response Maps(const Request& request, bool as_json) const;
  Response Frame(const Request& request) const;
  Response Open(const Request& request) const;

  ExportCatalog& catalog_;
  AccessRule access_;
};

}  // namespace vggt
