// SPDX-License-Identifier: Apache-2.0
// A request and its answer, without a socket.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace vggt {

// An answer that takes longer is given up. The page waits 30 s
// (web/src/core/source/http_source.ts).
inline constexpr std::chrono::seconds kAnswerTime{25};

// The parameters of an address, "?layers=all&row=3", percent-decoded, in their order.
using RequestParams = std::vector<std::pair<std::string, std::string>>;

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

// Throws Refusal (400) if one of the parameters has a name that is none of `known`.
void CheckNames(const RequestParams& params, std::span<const std::string_view> known);

// The value of `name`; nullopt if it is not given. Throws Refusal (400) if it is given twice.
std::optional<std::string> ParamValue(const RequestParams& params, const std::string& name);

}  // namespace vggt
