// SPDX-License-Identifier: Apache-2.0
// The server: HTTP/1.1 over TCP, spoken by libmicrohttpd, with limits on what a client may cost.
// One thread of the library waits on all connections; a few of ours answer whole requests. Clients
// that are slow, idle or gone take no thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/message.h"

namespace vggt {

// Called on one of several threads. What it throws becomes a bare 500.
using HttpHandler = std::function<Response(const Request&)>;

// Far beyond what the page needs. A body has at most 1 MiB.
struct HttpLimits {
  size_t head_bytes = 64 << 10;  // of memory for the header fields of a request and its answer
  // Of more, one makes way: the one that has gone longest without sending a whole request, first of
  // those that await no answer, then of those to which an answer is being sent.
  size_t connections = 256;
  unsigned quiet_s = 30;  // after which a connection ends on which nothing comes or goes
  int threads = 16;       // that answer
};

class HttpServer {
 public:
  // Listens at once; `host`, `port` and what it throws: see Listen (listener.h).
  HttpServer(const std::string& host, int port, HttpHandler handler, const HttpLimits& limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  int port() const;
  // Answers until Stop(), at most once. Request::abandoned becomes true when the client hangs up or
  // closes its own side, and at Stop(). Returns when the handlers at work have returned and all
  // connections are closed. Throws Error if the system lacks what it needs.
  void Serve();
  // From any thread, at any time.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vggt
