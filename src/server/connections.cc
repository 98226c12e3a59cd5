// SPDX-License-Identifier: Apache-2.0
#include "server/connections.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"

namespace vggt {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Connection : public Exchange {
 public:
  // Who has it: the thread that waits on all, but for kAnswering, when one of the others does.
  enum class State { kIdle, kReceiving, kAnswering, kSending, kLingering };

  explicit Connection(int socket)
      : socket_(socket),
        abandoned_(std::make_shared<std::atomic<bool>>(false)),
        watched_(abandoned_) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override { close(socket_); }

  std::string_view Take(size_t size) override {
    const std::string_view taken = std::string_view(received).substr(taken_, size);
    taken_ += taken.size();
    return taken;
  }
  void Send(std::string_view bytes) override {
    if (to_send.empty()) bytes.remove_prefix(SendSome(bytes));
    to_send += bytes;
  }
  const std::shared_ptr<const std::atomic<bool>>& abandoned() const override { return watched_; }

  // Sends of what is kept what the client takes at once; false if the connection is broken.
  bool SendKept() {
    sent_ += SendSome(std::string_view(to_send).substr(sent_));
    if (sent_ == to_send.size()) {
      std::string().swap(to_send);
      sent_ = 0;
    }
    return !broken_;
  }

  // Appends what has arrived, at most `most` bytes in all; false at its end or if it is broken.
  bool Receive(size_t most) {
    std::array<char, 16384> buffer;
    while (received.size() < most) {
      const ssize_t n = recv(socket_, buffer.data(),
                             std::min(buffer.size(), most - received.size()), MSG_DONTWAIT);
      if (n > 0) {
        received.append(buffer.data(), static_cast<size_t>(n));
        if (static_cast<size_t>(n) < buffer.size()) return true;
      } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
        return false;
      } else if (errno != EINTR) {
        return true;
      }
    }
    return true;
  }

  // Forgets the request that was answered.
  void DropTaken() {
    received.erase(0, taken_);
    taken_ = looked_at = 0;
    if (received.empty()) std::string().swap(received);
  }

  int socket() const { return socket_; }
  bool broken() const { return broken_; }
  void Abandon() { *abandoned_ = true; }
  bool is_abandoned() const { return *abandoned_; }

  State state = State::kIdle;
  Clock::time_point since = Clock::now();  // that it is in this state, or has last made progress
  Next next = Next::kKeep;
  std::string received, to_send;
  size_t looked_at = 0;                 // of what was received, for the end of the header
  std::optional<size_t> request_bytes;  // known when the header is there

 private:
  size_t SendSome(std::string_view bytes) {
    size_t sent = 0;
    while (!broken_ && sent < bytes.size()) {
      const ssize_t n =
          send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        sent += static_cast<size_t>(n);
        since = Clock::now();
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        break;
      } else if (errno != EINTR) {
        broken_ = true;
      }
    }
    return broken_ ? bytes.size() : sent;  // nobody is there to be told the rest
  }

  const int socket_;
  const std::shared_ptr<std::atomic<bool>> abandoned_;
  const std::shared_ptr<const std::atomic<bool>> watched_;  // the same, for readers
  size_t taken_ = 0, sent_ = 0;
  bool broken_ = false;
};

using State = Connection::State;
using Place = std::list<Connection>::iterator;

}  // namespace

class Connections::Impl {
 public:
  Impl(Answerer answerer, std::function<size_t(std::string_view)> body_length,
       const ConnectionLimits& limits)
      : answerer_(std::move(answerer)),
        body_length_(std::move(body_length)),
        limits_(limits),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) ThrowSystemError(errno, "cannot prepare a server", "");
    for (int i = 0; i < limits_.threads; ++i) answering_.emplace_back([this] { AnswerAll(); });
    waiting_ = std::thread([this] { WaitOnAll(); });
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    Stop();
    close(wake_);
  }

  void Add(int socket) {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      close(socket);
      return;
    }
    new_.push_back(socket);
    Wake();
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      filled_.notify_all();
      Wake();
    }
    if (waiting_.joinable()) waiting_.join();
    for (std::thread& thread : answering_) {
      if (thread.joinable()) thread.join();
    }
    all_.clear();
  }

 private:
  void Wake() { eventfd_write(wake_, 1); }

  // --- on the threads that answer

  void AnswerAll() {
    WorkAloneHere();  // what needs all processors is computed elsewhere
    std::unique_lock lock(mutex_);
    for (;;) {
      filled_.wait(lock, [&] { return stopped_ || !asked_.empty(); });
      if (stopped_) return;
      const Place connection = asked_.front();
      asked_.pop_front();
      lock.unlock();
      Exchange::Next next = Exchange::Next::kClose;
      try {
        next = answerer_(*connection);
      } catch (const std::exception&) {
        // Out of memory: the connection ends, the server does not.
      }
      lock.lock();
      connection->next = next;
      answered_.push_back(connection);
      Wake();
    }
  }

  // --- on the thread that waits

  void WaitOnAll() {
    std::vector<pollfd> polled;
    std::vector<Place> places;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        if (stopped_) break;
        std::deque<int> arrived;
        std::vector<Place> answered;
        arrived.swap(new_);
        answered.swap(answered_);
        lock.unlock();
        for (const Place place : answered) Proceed(place);
        for (const int socket : arrived) Accept(socket);
      }
      GiveUpSlow();
      polled.assign({{wake_, POLLIN, 0}});
      places.clear();
      for (Place place = all_.begin(); place != all_.end(); ++place) {
        if (place->state == State::kAnswering && place->is_abandoned()) continue;
        polled.push_back({place->socket(), EventsOf(place->state), 0});
        places.push_back(place);
      }
      poll(polled.data(), polled.size(), Patience());
      eventfd_t ignored;
      eventfd_read(wake_, &ignored);
      for (size_t i = 0; i < places.size(); ++i) {
        if (polled[i + 1].revents == 0) continue;
        try {
          React(places[i]);
        } catch (const std::bad_alloc&) {
          all_.erase(places[i]);
        }
      }
    }
    for (Connection& connection : all_) connection.Abandon();
  }

  static short EventsOf(State state) {
    if (state == State::kAnswering) return POLLRDHUP;
    return state == State::kSending ? POLLOUT : POLLIN;
  }

  // How long a connection may stay as it is; nothing: as long as its answer takes.
  std::optional<milliseconds> TimeOf(State state) const {
    switch (state) {
      case State::kIdle:
        return milliseconds(limits_.idle_ms);
      case State::kReceiving:
        return milliseconds(limits_.request_ms);
      case State::kSending:
        return milliseconds(limits_.write_ms);
      case State::kLingering:
        return milliseconds(limits_.linger_ms);
      case State::kAnswering:
        break;
    }
    return std::nullopt;
  }

  // Milliseconds until a connection has had its time; -1: there is none that will.
  int Patience() const {
    std::optional<Clock::time_point> first;
    for (const Connection& connection : all_) {
      const auto time = TimeOf(connection.state);
      if (time && (!first || connection.since + *time < *first)) first = connection.since + *time;
    }
    if (!first) return -1;
    const auto left = std::chrono::ceil<milliseconds>(*first - Clock::now()).count();
    return static_cast<int>(std::max<int64_t>(left, 0));
  }

  void GiveUpSlow() {
    const Clock::time_point now = Clock::now();
    std::erase_if(all_, [&](const Connection& connection) {
      const auto time = TimeOf(connection.state);
      return time && now >= connection.since + *time;
    });
  }

  void Accept(int socket) {
    if (all_.size() >= limits_.connections) {
      // Idle ones before slow ones, and of these the oldest.
      const auto last_to_go = [](const Connection& connection) {
        return std::pair(connection.state != State::kIdle, connection.since);
      };
      Place goes = all_.end();
      for (Place place = all_.begin(); place != all_.end(); ++place) {
        if (place->state == State::kAnswering) continue;
        if (goes == all_.end() || last_to_go(*place) < last_to_go(*goes)) goes = place;
      }
      if (goes == all_.end()) {
        close(socket);
        return;
      }
      all_.erase(goes);
    }
    all_.emplace_back(socket);
  }

  void Enter(Place place, State state) {
    place->state = state;
    place->since = Clock::now();
  }

  void React(Place place) {
    switch (place->state) {
      case State::kIdle:
      case State::kReceiving:
        return Read(place);
      case State::kAnswering:
        return place->Abandon();
      case State::kSending:
        if (place->SendKept()) return Proceed(place);
        break;
      case State::kLingering: {
        place->received.clear();
        if (place->Receive(limits_.header_bytes)) return;
        break;
      }
    }
    all_.erase(place);
  }

  void Read(Place place) {
    const bool open = place->Receive(MostReceived());
    if (!open && !IsWhole(*place)) {
      all_.erase(place);
    } else {
      AskIfWhole(place);
    }
  }

  size_t MostReceived() const { return limits_.header_bytes + limits_.body_bytes; }

  // Has the request answered if it is there; else waits for the rest.
  void AskIfWhole(Place place) {
    if (place->state == State::kIdle && !place->received.empty()) Enter(place, State::kReceiving);
    if (!IsWhole(*place)) return;
    Enter(place, State::kAnswering);
    const std::lock_guard lock(mutex_);
    asked_.push_back(place);
    filled_.notify_one();
  }

  // Also of what is too long: the answerer refuses that.
  bool IsWhole(Connection& connection) const {
    const std::string& received = connection.received;
    if (!connection.request_bytes) {
      constexpr std::string_view kEnd = "\n\r\n";
      const size_t end = received.find(kEnd, connection.looked_at);
      connection.looked_at = std::max(received.size(), kEnd.size()) - kEnd.size();
      if (end == std::string::npos) return received.size() > limits_.header_bytes;
      const size_t header = end + kEnd.size();
      const size_t body = body_length_(std::string_view(received).substr(0, header));
      connection.request_bytes = header + (body <= limits_.body_bytes ? body : 0);
    }
    return received.size() >= std::min(*connection.request_bytes, MostReceived());
  }

  // After an answer, or a part of it that has been sent.
  void Proceed(Place place) {
    if (place->broken()) {
      all_.erase(place);
      return;
    }
    if (!place->to_send.empty()) {
      if (place->state != State::kSending) Enter(place, State::kSending);
      return;
    }
    switch (place->next) {
      case Exchange::Next::kClose:
        all_.erase(place);
        return;
      case Exchange::Next::kLinger:
        shutdown(place->socket(), SHUT_WR);
        Enter(place, State::kLingering);
        return;
      case Exchange::Next::kKeep:
        break;
    }
    place->DropTaken();
    place->request_bytes.reset();
    Enter(place, State::kIdle);
    AskIfWhole(place);  // the next may have come with it
  }

  const Answerer answerer_;
  const std::function<size_t(std::string_view)> body_length_;
  const ConnectionLimits limits_;
  const int wake_;
  std::list<Connection> all_;  // of the thread that waits

  std::mutex mutex_;  // for all below
  std::condition_variable filled_;
  bool stopped_ = false;
  std::deque<int> new_;
  std::deque<Place> asked_;
  std::vector<Place> answered_;

  std::vector<std::thread> answering_;
  std::thread waiting_;
};

Connections::Connections(Answerer answerer, std::function<size_t(std::string_view)> body_length,
                         const ConnectionLimits& limits)
    : impl_(std::make_unique<Impl>(std::move(answerer), std::move(body_length), limits)) {}
Connections::~Connections() = default;
void Connections::Add(int socket) { impl_->Add(socket); }
void Connections::Stop() { impl_->Stop(); }

}  // namespace vggt
