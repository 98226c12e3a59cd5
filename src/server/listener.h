// SPDX-License-Identifier: Apache-2.0
// The socket at which clients arrive.
#pragma once

#include <string>
#include <utility>

namespace vggt {

// Owns a file descriptor and closes it.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();

  int get() const { return fd_; }
  // Gives it away: it is not closed here any more.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// A socket that listens and does not block. `host`: a name or an address; "" is all addresses.
// `port` 0 is any free one. Throws Error if the address cannot be had; for a port that is taken it
// names the next free one.
Descriptor Listen(const std::string& host, int port);

// The port on which it listens.
int PortOf(const Descriptor& listener);

}  // namespace vggt
