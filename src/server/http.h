// SPDX-License-Identifier: Apache-2.0
// The socket: HTTP/1.1 over TCP, with limits on what a client may cost.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/message.h"

namespace vggt {

// Called from many threads at once. What it throws becomes a bare 500.
using HttpHandler = std::function<Response(const Request&)>;

// Requests take at most 5 s to arrive, 64 KiB of headers and 1 MiB of body; connections stay open
// for 30 s, less when there are more than 256. Request::abandoned becomes true when the client
// hangs up.
class HttpServer {
 public:
  // Binds at once. `host`: a name or an address; "" and "0.0.0.0" are all. `port` 0 is any free
  // one. Throws Error if the address cannot be had; for a port that is taken it names the next free
  // one.
  HttpServer(const std::string& host, int port, HttpHandler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  int port() const;
  // Answers until Stop(). At most once. Throws Error if the system ends it.
  void Serve();
  // From any thread, at any time. Closes all connections; Serve() returns as soon as the handlers
  // that are running have returned.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vggt
