// SPDX-License-Identifier: Apache-2.0
#include "server/listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "core/error.h"

namespace vggt {
namespace {

constexpr int kBacklog = 256;

// Sets `fd` to a socket that listens at the address; an errno if there is none, else 0.
int ListenAt(const addrinfo& address, Descriptor& fd) {
  fd = Descriptor(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return errno;
  const int yes = 1, no = 0;
  // Not SO_REUSEPORT: two servers would share a port unawares.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (address.ai_family == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  }
  const bool listens =
      bind(fd.get(), address.ai_addr, address.ai_addrlen) == 0 && listen(fd.get(), kBacklog) == 0;
  return listens ? 0 : errno;
}

// The same at the first address of `host` that can be had.
int TryToListen(const std::string& host, int port, Descriptor& fd) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.empty() ? "0.0.0.0" : host.c_str(), std::to_string(port).c_str(), &hints,
                  &found) != 0) {
    return EADDRNOTAVAIL;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  int problem = EADDRNOTAVAIL;
  for (const addrinfo* address = found; address != nullptr && problem != 0;
       address = address->ai_next) {
    problem = ListenAt(*address, fd);
  }
  return problem;
}

// The next port that is free; 0 if none of the next hundred is.
int FreePortAfter(const std::string& host, int port) {
  constexpr int kTried = 100;
  Descriptor ignored;
  for (int next = port + 1; next <= port + kTried && next <= 65535; ++next) {
    if (TryToListen(host, next, ignored) == 0) return next;
  }
  return 0;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Descriptor Listen(const std::string& host, int port) {
  Descriptor fd;
  switch (const int problem = TryToListen(host, port, fd)) {
    case 0:
      return fd;
    case EADDRINUSE:
      throw Error(fmt::format("port {} is taken", port), "",
                  fmt::format("Try --server_port {}.", FreePortAfter(host, port)));
    case EACCES:
      throw Error(fmt::format("port {} may not be used by this user", port), "",
                  "Ports from 1024 on may.");
    case EADDRNOTAVAIL:
      throw Error("is no address of this machine", host, "Use 127.0.0.1, or 0.0.0.0 for all.");
    default:
      ThrowSystemError(problem, fmt::format("cannot listen on port {}", port), host);
  }
}

int PortOf(const Descriptor& listener) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ThrowSystemError(errno, "cannot tell the server's port", "");
  }
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

}  // namespace vggt
