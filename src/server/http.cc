// SPDX-License-Identifier: Apache-2.0
#include "server/http.h"

#include <fmt/format.h>
#include <microhttpd.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "core/parallel.h"
#include "server/listener.h"

namespace vggt {
namespace {

constexpr size_t kMostBodyBytes = 1 << 20;
// Of a larger body so much is read and dropped, for its client to read the refusal: closing with
// unread bytes would reset the connection.
constexpr size_t kMostDroppedBytes = 16 << 20;
// Of an address, with room beside it in HttpLimits::head_bytes: where the library has no memory for
// more, it says nothing at all.
constexpr size_t kMostAddressBytes = 48 << 10;
constexpr int64_t kMostParams = 256;
constexpr std::chrono::milliseconds kBetweenLooks{20};

// On every answer: the page runs nothing and shows nothing that this server did not send, and no
// other page may read or frame it.
constexpr std::pair<const char*, const char*> kSafetyFields[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
     "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"}};

constexpr std::pair<const char*, std::string Request::*> kFields[] = {
    {"Host", &Request::host},
    {"Origin", &Request::origin},
    {"Sec-Fetch-Site", &Request::fetch_site},
    {"Content-Type", &Request::content_type},
    {"If-None-Match", &Request::if_none_match}};

// A client. The library's thread has it, but in the states kWaiting and kAnswering, while the
// library is told to leave it alone.
struct Connection {
  enum class State {
    kIdle,
    kReceiving,  // the head of a request has arrived
    kWaiting,    // for a thread to answer
    kAnswering,
    kSending,  // the answer is on its way
    kEnded     // made way; the library will notice
  };

  MHD_Connection* handle = nullptr;
  int socket = -1;
  State state = State::kIdle;
  Request request;
  bool zero_byte = false;  // in the path of the request's address
  size_t body_bytes = 0;   // that have arrived
  Response response;
  std::shared_ptr<std::atomic<bool>> abandoned;
  std::list<Connection>::iterator place;
};

using State = Connection::State;

// In the form of the routes' own errors.
Response Refuse(int status, const char* what) {
  return {status,
          "application/json",
          fmt::format(R"({{"error": {{"what": "{}", "where": "", "hint": ""}}}})", what),
          {}};
}

// Why an address is not read; "" if it is.
const char* WhyNotRead(std::string_view address) {
  if (address.size() > kMostAddressBytes) return "the address is longer than 48 KiB";
  const std::string_view params = address.substr(std::min(address.find('?'), address.size()));
  if (std::ranges::count(params, '&') >= kMostParams) {
    return "the address has more than 256 parameters";
  }
  return "";
}

// Writes an answer past the library, which has no memory left for one, and hangs up.
void AnswerAtOnce(int socket, const char* what) {
  std::string text = "HTTP/1.1 414 URI Too Long\r\nConnection: close\r\n";
  for (const auto& [name, value] : kSafetyFields) text += fmt::format("{}: {}\r\n", name, value);
  const Response refusal = Refuse(414, what);
  text += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}", refusal.content_type,
                      refusal.body.size(), refusal.body);
  send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(socket, SHUT_RDWR);
}

// Functions that the library calls throw nothing: it is written in C.

MHD_Result TakeValue(void* to, MHD_ValueKind kind, const char* key, size_t key_size,
                     const char* value, size_t size) noexcept {
  auto& request = *static_cast<Request*>(to);
  std::string text(value == nullptr ? "" : value, size);
  if (kind == MHD_GET_ARGUMENT_KIND) {
    if (key_size > 0) request.params.emplace_back(std::string(key, key_size), text);
    return MHD_YES;
  }
  text.erase(text.find_last_not_of(" \t") + 1);
  for (const auto& [name, field] : kFields) {
    if (strcasecmp(key, name) != 0) continue;
    // Fields of one name are a list (RFC 9110, 5.3). Two hosts are thus none that we know.
    std::string& known = request.*field;
    known += (known.empty() ? "" : ", ") + text;
  }
  return MHD_YES;
}

// Has the response sent. Another request may follow when it is.
MHD_Result Reply(Connection& connection) {
  Response response = std::move(connection.response);
  connection.request = {};
  connection.state = State::kSending;
  const auto destroy = [](void* body) { delete static_cast<std::string*>(body); };
  auto* body = new std::string(std::move(response.body));
  MHD_Response* reply = MHD_create_response_from_buffer_with_free_callback_cls(
      body->size(), body->data(), destroy, body);
  if (reply == nullptr) {
    destroy(body);
    return MHD_NO;
  }
  for (const auto& [name, value] : kSafetyFields) MHD_add_response_header(reply, name, value);
  if (!response.content_type.empty()) {
    MHD_add_response_header(reply, "Content-Type", response.content_type.c_str());
  }
  for (const auto& [name, value] : response.headers) {
    MHD_add_response_header(reply, name.c_str(), value.c_str());
  }
  const MHD_Result queued =
      MHD_queue_response(connection.handle, static_cast<unsigned>(response.status), reply);
  MHD_destroy_response(reply);  // lives on until it is sent
  return queued;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const std::string& host, int port, HttpHandler handler, const HttpLimits& limits)
      : handler_(std::move(handler)),
        limits_(limits),
        listener_(Listen(host, port)),
        port_(PortOf(listener_)) {}

  int port() const { return port_; }

  void Serve() {
    MHD_Daemon* daemon = nullptr;
    {
      std::vector<std::jthread> threads;
      const StopAtEnd stop{*this};  // also where not all threads can be had
      for (int i = 0; i < limits_.threads; ++i) threads.emplace_back([this] { AnswerAll(); });
      daemon = Start();
      WatchClients();
    }
    {
      const std::lock_guard lock(mutex_);
      for (const Connection* connection : asked_) MHD_resume_connection(connection->handle);
      asked_.clear();  // the daemon frees them, and Stop may be called again
    }
    MHD_stop_daemon(daemon);
  }

  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (const Connection* connection : asked_) *connection->abandoned = true;
    filled_.notify_all();
    watched_.notify_all();
  }

 private:
  struct StopAtEnd {
    Impl& impl;
    ~StopAtEnd() { impl.Stop(); }
  };

  MHD_Daemon* Start() {
    // The library has a limit of its own on connections for those that have made way, for as long
    // as it has not noticed.
    MHD_Daemon* daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, OnRequest,
        this, MHD_OPTION_LISTEN_SOCKET, listener_.Release(), MHD_OPTION_NOTIFY_CONNECTION,
        OnConnection, this, MHD_OPTION_NOTIFY_COMPLETED, OnSent, nullptr,
        MHD_OPTION_URI_LOG_CALLBACK, OnAddress, nullptr, MHD_OPTION_CONNECTION_LIMIT,
        static_cast<unsigned>(2 * limits_.connections), MHD_OPTION_CONNECTION_TIMEOUT,
        limits_.quiet_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits_.head_bytes, MHD_OPTION_END);
    if (daemon == nullptr) throw Error("the system lacks what a server needs");
    return daemon;
  }

  // --- on the threads that answer

  void AnswerAll() {
    WorkAloneHere();  // what needs all processors is computed elsewhere
    std::unique_lock lock(mutex_);
    for (;;) {
      auto next = asked_.end();
      filled_.wait(lock, [&] {
        next = std::find_if(asked_.begin(), asked_.end(),
                            [](const Connection* c) { return c->state == State::kWaiting; });
        return stopped_ || next != asked_.end();
      });
      if (stopped_) return;
      Connection* connection = *next;
      connection->state = State::kAnswering;
      lock.unlock();
      connection->response = Answer(connection->request);
      lock.lock();
      std::erase(asked_, connection);
      MHD_resume_connection(connection->handle);
    }
  }

  Response Answer(const Request& request) const {
    try {
      return handler_(request);
    } catch (const std::exception&) {
      return Refuse(500, "the server failed");
    }
  }

  // --- on the thread that serves

  // Tells the answers at work when their clients hang up, which the library does not look at.
  void WatchClients() {
    std::unique_lock lock(mutex_);
    for (;;) {
      watched_.wait(lock, [&] { return stopped_ || !asked_.empty(); });
      if (stopped_) return;
      lock.unlock();
      std::this_thread::sleep_for(kBetweenLooks);
      lock.lock();
      for (const Connection* connection : asked_) {
        pollfd socket = {connection->socket, POLLRDHUP, 0};
        if (poll(&socket, 1, 0) > 0) *connection->abandoned = true;
      }
    }
  }

  // --- on the library's thread

  static void OnConnection(void* self, MHD_Connection* handle, void** context,
                           MHD_ConnectionNotificationCode code) noexcept {
    auto& impl = *static_cast<Impl*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      *context = &impl.Add(handle);
    } else {
      impl.all_.erase(static_cast<Connection*>(*context)->place);
    }
  }

  Connection& Add(MHD_Connection* handle) {
    const auto place = all_.emplace(all_.end());
    place->handle = handle;
    place->socket = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    place->place = place;
    const std::lock_guard lock(mutex_);
    const auto open = std::count_if(all_.begin(), all_.end(),
                                    [](const Connection& c) { return c.state != State::kEnded; });
    if (static_cast<size_t>(open) > limits_.connections) {
      // First those that ask nothing, then those that are slow to take their answer.
      const auto in_state = [this](std::initializer_list<State> states) {
        return std::find_if(all_.begin(), std::prev(all_.end()), [states](const Connection& c) {
          return std::ranges::find(states, c.state) != states.end();
        });
      };
      auto goes = in_state({State::kIdle, State::kReceiving});
      if (goes == std::prev(all_.end())) goes = in_state({State::kSending});
      goes->state = State::kEnded;  // the new one if no other may go
      shutdown(goes->socket, SHUT_RDWR);
    }
    return *place;
  }

  // Called with an address as it was sent, before it is taken apart. The library hands the path on
  // as a string that ends at a zero byte.
  static void* OnAddress(void*, const char* address, MHD_Connection* handle) noexcept {
    auto& connection = *static_cast<Connection*>(
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
    const std::string_view text = address;
    if (const char* why = WhyNotRead(text); *why != 0) {
      AnswerAtOnce(connection.socket, why);
      connection.state = State::kEnded;
      return nullptr;
    }
    connection.zero_byte = text.substr(0, text.find('?')).find("%00") != std::string_view::npos;
    return nullptr;
  }

  // Called when an answer has been sent, or cannot be.
  static void OnSent(void*, MHD_Connection* handle, void**, MHD_RequestTerminationCode) noexcept {
    auto& connection = *static_cast<Connection*>(
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
    if (connection.state == State::kSending) connection.state = State::kIdle;
  }

  // Called when the head of a request has arrived, with each part of its body, at its end, and when
  // its connection is resumed.
  static MHD_Result OnRequest(void* self, MHD_Connection* handle, const char* path,
                              const char* method, const char*, const char* data, size_t* size,
                              void**) noexcept {
    auto& impl = *static_cast<Impl*>(self);
    auto& connection = *static_cast<Connection*>(
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
    switch (connection.state) {
      case State::kIdle: {
        const bool is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
        connection.request.method = is_head ? MHD_HTTP_METHOD_GET : method;
        connection.request.path = path;
        MHD_get_connection_values_n(
            handle, static_cast<MHD_ValueKind>(MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND), TakeValue,
            &connection.request);
        connection.body_bytes = 0;
        if (const int status = RefusalOfBody(handle)) {
          connection.response = status == 501 ? Refuse(501, "a body in this transfer coding")
                                              : Refuse(413, "the body is larger than 1 MiB");
          return Reply(connection);
        }
        connection.state = State::kReceiving;
        return MHD_YES;
      }
      case State::kReceiving:
        if (*size == 0) return impl.HandOver(connection);
        return TakeBody({data, std::exchange(*size, 0)}, connection);
      case State::kAnswering:
        return Reply(connection);
      case State::kWaiting:  // the server stops
      case State::kSending:
      case State::kEnded:
        break;
    }
    return MHD_NO;
  }

  // The status by which a body is refused before it is read; 0: it is read. The library would wait
  // for the end of a body in a coding that it does not know. A body that is a little too large is
  // read and dropped, because many clients look at no answer before they have sent everything.
  static int RefusalOfBody(MHD_Connection* handle) {
    const auto field = [handle](const char* name) {
      return MHD_lookup_connection_value(handle, MHD_HEADER_KIND, name);
    };
    const char* coding = field(MHD_HTTP_HEADER_TRANSFER_ENCODING);
    if (coding != nullptr && strcasecmp(coding, "chunked") != 0) return 501;
    const char* length = field(MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length == nullptr) return 0;
    const bool asks_first = field(MHD_HTTP_HEADER_EXPECT) != nullptr;
    return strtoull(length, nullptr, 10) > (asks_first ? kMostBodyBytes : kMostDroppedBytes) ? 413
                                                                                             : 0;
  }

  static MHD_Result TakeBody(std::string_view part, Connection& connection) {
    connection.body_bytes += part.size();
    if (connection.body_bytes <= kMostBodyBytes) connection.request.body += part;
    return connection.body_bytes <= kMostDroppedBytes ? MHD_YES : MHD_NO;
  }

  // Has the request answered, which is whole.
  MHD_Result HandOver(Connection& connection) {
    all_.splice(all_.end(), all_, connection.place);
    if (connection.body_bytes > kMostBodyBytes) {
      connection.response = Refuse(413, "the body is larger than 1 MiB");
      return Reply(connection);
    }
    if (connection.zero_byte) {
      connection.response = Refuse(400, "the address holds a zero byte");
      return Reply(connection);
    }
    connection.abandoned = std::make_shared<std::atomic<bool>>(false);
    connection.request.abandoned = connection.abandoned;
    const std::lock_guard lock(mutex_);
    if (stopped_) return MHD_NO;
    connection.state = State::kWaiting;
    asked_.push_back(&connection);
    MHD_suspend_connection(connection.handle);
    filled_.notify_one();
    watched_.notify_one();
    return MHD_YES;
  }

  const HttpHandler handler_;
  const HttpLimits limits_;
  Descriptor listener_;
  const int port_;
  std::list<Connection> all_;  // of the library's thread; first the one that is to make way first

  std::mutex mutex_;  // for all below, and for the states of those in `asked_`
  std::condition_variable filled_, watched_;
  bool stopped_ = false;
  std::vector<Connection*> asked_;  // in the states kWaiting and kAnswering
};

HttpServer::HttpServer(const std::string& host, int port, HttpHandler handler,
                       const HttpLimits& limits)
    : impl_(std::make_unique<Impl>(host, port, std::move(handler), limits)) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const { return impl_->port(); }
void HttpServer::Serve() { impl_->Serve(); }
void HttpServer::Stop() { impl_->Stop(); }

}  // namespace vggt
