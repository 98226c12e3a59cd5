// SPDX-License-Identifier: Apache-2.0
// The sockets of a server's clients. One thread waits on all of them; a few answer whole requests.
// Clients that are slow, idle or gone take no thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vggt {

// A request that has arrived whole (or holds more than one may), and what is said to it.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // The next bytes of what has arrived, at most `size`; none: there is no more of this request.
  virtual std::string_view Take(size_t size) = 0;
  // Sends what the client takes at once and keeps the rest, to be sent later.
  virtual void Send(std::string_view bytes) = 0;
  // Becomes true when the client has hung up, or closed its own side.
  virtual const std::shared_ptr<const std::atomic<bool>>& abandoned() const = 0;

  // What becomes of the connection after the answer.
  enum class Next {
    kKeep,    // waits for another request
    kClose,   // ends
    kLinger,  // ends when the client has read the answer: not all that it sent was read, and
              // closing with unread bytes would reset the connection
  };
};

// Called on one of several threads. What it throws ends the connection.
using Answerer = std::function<Exchange::Next(Exchange&)>;

// Limits, far beyond any client of the page.
struct ConnectionLimits {
  size_t header_bytes = 64 << 10, body_bytes = 1 << 20;
  // Of more, the one that has been idle or slow for longest makes way.
  size_t connections = 256;
  int request_ms = 5000;  // for a request to arrive
  int write_ms = 5000;    // for the client to take anything of an answer
  int idle_ms = 30'000;
  int linger_ms = 500;
  int threads = 16;  // that answer
};

class Connections {
 public:
  // `body_length`: how many bytes follow the header, which is given up to its empty line; what is
  // more than the limit counts as none.
  Connections(Answerer answerer, std::function<size_t(std::string_view)> body_length,
              const ConnectionLimits& limits = {});
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();

  // Takes the socket of a client; closes it at the end. From any thread.
  void Add(int socket);
  // Closes all connections. Returns when the answers at work have returned. At most once.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vggt
