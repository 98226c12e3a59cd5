// SPDX-License-Identifier: Apache-2.0
#include "server/http.h"

#include <httplib.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "server/connections.h"

namespace vggt {
namespace {

constexpr ConnectionLimits kLimits{};
constexpr int kBacklog = 128;

// The only POST whose body is read.
constexpr const char* kPostPath = "/api/open";

// A file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// What httplib reads a request from and writes its answer to.
class ExchangeStream : public httplib::Stream {
 public:
  explicit ExchangeStream(Exchange& exchange) : exchange_(exchange) {}

  // Whether the client kept to the protocol.
  bool sound() const { return sound_; }

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, size_t size) override {
    const std::string_view taken = exchange_.Take(size);
    if (taken.empty()) {
      sound_ = false;
      return -1;
    }
    std::copy(taken.begin(), taken.end(), out);
    return static_cast<ssize_t>(taken.size());
  }
  ssize_t write(const char* data, size_t size) override {
    exchange_.Send({data, size});
    return static_cast<ssize_t>(size);
  }

  // Nobody asks who the client is.
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  Exchange& exchange_;
  bool sound_ = true;
};

// The exchange that the calling thread answers: httplib's requests have no place for it.
thread_local const Exchange* answered_here = nullptr;

// Calls what it is given at once: connections are waited on elsewhere.
class NoQueue : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> task) override { task(); }
  void shutdown() override {}
};

// What a header announces, for the whole request to be awaited; whether such a body is read is
// decided later (ReadsBody).
size_t BodyLength(std::string_view header) {
  constexpr std::string_view kName = "content-length:";
  if (!header.starts_with("POST ")) return 0;
  for (size_t line = header.find('\n'); line != std::string_view::npos;
       line = header.find('\n', line + 1)) {
    std::string_view text = header.substr(line + 1, header.find('\n', line + 1) - line - 1);
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    if (text.size() < kName.size() || !std::equal(kName.begin(), kName.end(), text.begin(),
                                                  [&](char b, char a) { return same(a, b); })) {
      continue;
    }
    text.remove_prefix(kName.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    return digits == 0 || digits > 7 ? 0 : std::stoul(std::string(text.substr(0, digits)));
  }
  return 0;
}

bool HasBody(const httplib::Request& request) {
  const std::string length = request.get_header_value("Content-Length");
  return (!length.empty() && length != "0") || request.has_header("Transfer-Encoding");
}

// A body is read only where one is expected and its length is known.
bool ReadsBody(const httplib::Request& request) {
  const std::string length = request.get_header_value("Content-Length");
  return request.method == "POST" && request.path == kPostPath &&
         request.get_header_value("Content-Type").starts_with("application/json") &&
         !request.has_header("Transfer-Encoding") && !request.has_header("Content-Encoding") &&
         request.get_header_value_count("Content-Length") == 1 && length.size() < 8 &&
         length.find_first_not_of("0123456789") == std::string::npos &&
         std::stoul(length) <= kLimits.body_bytes;
}

Request FromLibrary(const httplib::Request& given) {
  Request request;
  request.method = given.method == "HEAD" ? "GET" : given.method;
  request.path = given.path;
  request.query = {given.params.begin(), given.params.end()};
  // Two of these would leave open which one counts.
  if (given.get_header_value_count("Host") == 1) request.host = given.get_header_value("Host");
  request.origin = given.get_header_value("Origin");
  request.fetch_site = given.get_header_value("Sec-Fetch-Site");
  request.content_type = given.get_header_value("Content-Type");
  request.if_none_match = given.get_header_value("If-None-Match");
  request.body = given.body;
  if (answered_here != nullptr) request.abandoned = answered_here->abandoned();
  return request;
}

void ToLibrary(Response answer, httplib::Response& out) {
  out.status = answer.status;
  out.body = std::move(answer.body);
  if (!answer.content_type.empty()) out.set_header("Content-Type", answer.content_type);
  for (const auto& [name, value] : answer.headers) out.set_header(name, value);
}

// On every answer: the page runs nothing and shows nothing that this server did not send, and no
// other page may read or frame it.
httplib::Headers SafetyHeaders() {
  return {{"Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
           "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
           "frame-ancestors 'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cross-Origin-Opener-Policy", "same-origin"}};
}

// What is left for the socket to refuse, in the words of the routes' own errors.
Response Refuse(int status, const char* what) {
  return {status,
          "application/json",
          fmt::format(R"({{"error": {{"what": "{}", "where": "", "hint": ""}}}})", what),
          {}};
}

// Binds a socket of its own to find out why httplib could not: an errno, 0 if it can be bound.
int BindProblem(const std::string& host, int port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return EADDRNOTAVAIL;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  const Descriptor fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  if (fd.get() < 0 || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), 1) != 0) {
    return errno;
  }
  return 0;
}

[[noreturn]] void ThrowBindError(const std::string& host, int port) {
  constexpr int kTried = 100;
  const int problem = BindProblem(host, port);
  if (problem == EADDRINUSE) {
    int free = port + 1;
    while (free <= port + kTried && free <= 65535 && BindProblem(host, free) != 0) ++free;
    const bool found = free <= port + kTried && free <= 65535;
    throw Error(fmt::format("port {} is taken", port), "",
                fmt::format("Try --server_port {}.", found ? free : 0));
  }
  if (problem == EACCES) {
    throw Error(fmt::format("port {} may not be used by this user", port), "",
                "Ports from 1024 on may.");
  }
  if (problem == EADDRNOTAVAIL) {
    throw Error("is no address of this machine", host, "Use 127.0.0.1, or 0.0.0.0 for all.");
  }
  ThrowSystemError(problem, fmt::format("cannot listen on port {}", port), host);
}

}  // namespace

class HttpServer::Impl : public httplib::Server {
 public:
  Impl(const std::string& host, int port, HttpHandler handler)
      : handler_(std::move(handler)),
        connections_([this](Exchange& exchange) { return AnswerOne(exchange); }, BodyLength,
                     kLimits) {
    // Not httplib's own, which sets SO_REUSEPORT: two servers would share a port unawares.
    set_socket_options([this](socket_t fd) {
      const int yes = 1;
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      listener_ = fd;
    });
    set_tcp_nodelay(true);
    set_keep_alive_timeout(kLimits.idle_ms / 1000);
    set_keep_alive_max_count(1'000'000);  // said to clients; no connection is ended for it
    set_payload_max_length(kLimits.body_bytes);
    set_default_headers(SafetyHeaders());
    new_task_queue = [] { return new NoQueue; };
    SetHandlers();
    if (port == 0) {
      port_ = bind_to_any_port(host);
    } else {
      port_ = bind_to_port(host, port) ? port : -1;
    }
    if (port_ <= 0) ThrowBindError(host, port);
    ::listen(listener_, kBacklog);
  }

  ~Impl() override {
    const socket_t listener = svr_sock_.exchange(INVALID_SOCKET);
    if (!served_ && listener != INVALID_SOCKET) close(listener);
  }

  int port() const { return port_; }

  void Serve() {
    {
      const std::lock_guard lock(mutex_);
      served_ = true;
    }
    listen_after_bind();
    connections_.Stop();
    const std::lock_guard lock(mutex_);
    listener_ = INVALID_SOCKET;
    if (!stopped_) throw Error("the system ended the server's socket");
  }

  void Stop() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    // Wakes accept() for good, also one that has not begun; httplib's stop() would be lost then.
    if (listener_ != INVALID_SOCKET) shutdown(listener_, SHUT_RDWR);
  }

 private:
  void SetHandlers() {
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& out) {
      if (ReadsBody(request)) return HandlerResponse::Unhandled;
      if (HasBody(request) && request.method != "POST") {
        ToLibrary(Refuse(400, "a request of this kind has no body"), out);
      } else if (request.get_header_value("Content-Length").size() >= 7) {
        ToLibrary(Refuse(413, "the body is larger than 1 MiB"), out);
      } else {
        // Without its body: the routes refuse what is of a wrong type or at a wrong address first.
        ToLibrary(handler_(FromLibrary(request)), out);
      }
      return HandlerResponse::Handled;
    });
    Post(kPostPath, [this](const httplib::Request& request, httplib::Response& out) {
      ToLibrary(handler_(FromLibrary(request)), out);
    });
    set_exception_handler([](const auto&, httplib::Response& out, const std::exception_ptr&) {
      ToLibrary(Refuse(500, "the server failed"), out);
    });
    // Answers that httplib gives by itself.
    set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& out) {
      if (out.body.empty() && out.status != 304) {
        ToLibrary(Refuse(out.status, out.status == 414   ? "the address is too long"
                                     : out.status == 413 ? "the body is larger than 1 MiB"
                                                         : "this is no HTTP request"),
                  out);
      }
      return HandlerResponse::Handled;
    }));
    set_post_routing_handler([](const httplib::Request&, httplib::Response& out) {
      if (out.status == 304) out.headers.erase("Content-Length");
    });
  }

  // In place of httplib's loop, for which a connection needs a thread.
  bool process_and_close_socket(socket_t socket) override {
    connections_.Add(socket);
    return true;
  }

  Exchange::Next AnswerOne(Exchange& exchange) {
    ExchangeStream stream(exchange);
    bool last = false, understood = false, left_unread = false;
    const auto look = [&](httplib::Request& request) {
      understood = true;
      left_unread = HasBody(request) && !ReadsBody(request);
      // Answers are whole and plain.
      request.ranges.clear();
      request.headers.erase("Range");
      request.headers.erase("Accept-Encoding");
    };
    answered_here = &exchange;
    const bool done = process_request(stream, false, last, look);
    answered_here = nullptr;
    if (!understood || left_unread || !stream.sound()) return Exchange::Next::kLinger;
    return done && !last ? Exchange::Next::kKeep : Exchange::Next::kClose;
  }

  HttpHandler handler_;
  Connections connections_;
  std::mutex mutex_;  // for what follows
  socket_t listener_ = INVALID_SOCKET;
  bool served_ = false, stopped_ = false;
  int port_ = -1;
};

HttpServer::HttpServer(const std::string& host, int port, HttpHandler handler)
    : impl_(std::make_unique<Impl>(host.empty() ? "0.0.0.0" : host, port, std::move(handler))) {}

HttpServer::~HttpServer() = default;
int HttpServer::port() const { return impl_->port(); }
void HttpServer::Serve() { impl_->Serve(); }
void HttpServer::Stop() { impl_->Stop(); }

}  // namespace vggt
