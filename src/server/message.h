// SPDX-License-Identifier: Apache-2.0
// A request and its answer, without a socket.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "server/request_params.h"

namespace vggt {

// An answer that takes longer is given up. The page waits 30 s
// (web/src/core/source/http_source.ts).
inline constexpr std::chrono::seconds kAnswerTime{25};

struct Request {
  std::string method;  // in capitals
  std::string path;    // percent-decoded, without the parameters
  RequestParams params;
  // Headers, "" if absent.
  std::string host, origin, fetch_site, content_type, if_none_match;
  std::string body;
  // Becomes true when nobody waits for the answer any more. Null: somebody always does.
  std::shared_ptr<const std::atomic<bool>> abandoned;
};

struct Response {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// An Error with the HTTP status that says whose fault it is.
class Refusal : public Error {
 public:
  Refusal(int status, const std::string& what, const std::string& where = "",
          const std::string& hint = "")
      : Error(what, where, hint), status_(status) {}

  int status() const { return status_; }

 private:
  int status_;
};

}  // namespace vggt
