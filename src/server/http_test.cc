// SPDX-License-Identifier: Apache-2.0
#include "server/http.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

namespace vggt {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A client that says exactly what it is told.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ADD_FAILURE() << "cannot connect";
    }
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(fd_); }

  void Send(const std::string& text) const {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has hung up
      sent += static_cast<size_t>(n);
    }
  }

  // One answer, headers and as much body as they announce; what there is if the server hangs up.
  std::string Receive() {
    while (pending_.find("\r\n\r\n") == std::string::npos) {
      if (!Fill()) return std::exchange(pending_, "");
    }
    const size_t head = pending_.find("\r\n\r\n") + 4;
    const size_t at = pending_.find("Content-Length: ");
    const size_t length = at < head ? std::stoul(pending_.substr(at + 16)) : 0;
    while (pending_.size() < head + length) {
      if (!Fill()) return std::exchange(pending_, "");
    }
    const std::string answer = pending_.substr(0, head + length);
    pending_.erase(0, head + length);
    return answer;
  }

  void CloseItsSide() const { shutdown(fd_, SHUT_WR); }

  std::string Ask(const std::string& text) {
    Send(text);
    return Receive();
  }

  // Whether the server closes the connection, after whatever else it sends.
  bool IsClosed() {
    while (Fill()) {
    }
    return closed_;
  }

 private:
  bool Fill() {
    char buffer[4096];
    const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
    closed_ = n == 0 || (n < 0 && errno == ECONNRESET);
    if (n > 0) pending_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }

  int fd_;
  std::string pending_;
  bool closed_ = false;
};

// Says what it was asked.
Response Echo(const Request& request) {
  if (request.path == "/throw") throw std::runtime_error("oh");
  if (request.path == "/large") return {200, "text/plain", std::string(20 << 20, 'x'), {}};
  if (request.path == "/unchanged") return {304, "", "", {{"ETag", "\"e\""}}};
  std::string text = fmt::format("{} {} body={}", request.method, request.path, request.body);
  for (const auto& [key, value] : request.params) text += fmt::format(" {}={}", key, value);
  text += fmt::format(" host={} origin={} type={} match={} site={}.", request.host, request.origin,
                      request.content_type, request.if_none_match, request.fetch_site);
  return {200, "text/plain", text, {{"X-Test", "yes"}}};
}

class Running {
 public:
  explicit Running(HttpHandler handler = Echo, const HttpLimits& limits = {})
      : server_("127.0.0.1", 0, std::move(handler), limits), thread_([this] { server_.Serve(); }) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { Stop(); }

  int port() const { return server_.port(); }
  void Stop() {
    server_.Stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  HttpServer server_;
  std::thread thread_;
};

std::string GetText(const std::string& target, const std::string& headers = "") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", target, headers);
}

std::string PostText(const std::string& target, const std::string& body,
                     const std::string& type = "application/json") {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
      target, type, body.size(), body);
}

TEST(Http, PassesOnWhatIsAsked) {
  const Running running;
  Client client(running.port());
  const std::string text = GetText("/a%20b+c?x=1&y=%26+d&x=2&&z",
                                   "oRIGIN:http://o \r\nIf-None-Match: \t\"e\"\r\n"
                                   "Sec-Fetch-Site: none\r\nCookie: a: b\r\n");
  for (const char c : text) client.Send(std::string(1, c));
  const std::string answer = client.Receive();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, AllOf(HasSubstr("X-Test: yes\r\n"), HasSubstr("Content-Type: text/plain\r\n"),
                            EndsWith("\r\n\r\nGET /a b+c body= x=1 y=& d x=2 z= host=localhost "
                                     "origin=http://o type= match=\"e\" site=none.")));
}

// However much there is to take apart.
TEST(Http, AddressesThatAreTooLongAreRefused) {
  const Running running;
  const auto ask = [&](const std::string& target) {
    return Client(running.port()).Ask(GetText(target));
  };
  const auto params = [](int count) {
    std::string text = "/?a=1";
    for (int i = 1; i < count; ++i) text += "&a=1";
    return text;
  };
  EXPECT_THAT(ask(params(256)), StartsWith("HTTP/1.1 200 OK\r\n"));
  for (const int count : {257, 900, 1000, 2000, 8000}) {
    const std::string answer = ask(params(count));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 414 URI Too Long\r\n")) << count;
    EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n")) << count;
    EXPECT_THAT(answer,
                EndsWith(R"({"error": {"what": "the address has more than 256 parameters", )"
                         R"("where": "", "hint": ""}})"))
        << count;
  }
  EXPECT_THAT(ask("/?x=" + std::string(48'000, 'a')), StartsWith("HTTP/1.1 200 OK\r\n"));
  for (const int size : {49'200, 60'000, 64'800, 65'300}) {
    EXPECT_THAT(ask("/?x=" + std::string(size, 'a')),
                HasSubstr("the address is longer than 48 KiB"))
        << size;
  }
  EXPECT_THAT(ask("/"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(Http, SafetyHeadersOnEveryAnswer) {
  const Running running;
  Client client(running.port());
  for (const std::string& text : {GetText("/"), GetText("/throw"), GetText("/unchanged"),
                                  PostText("/", std::string((1 << 20) + 1, 'y'))}) {
    const std::string answer = client.Ask(text);
    for (const char* header :
         {"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; ",
          "frame-ancestors 'none'\r\n", "X-Content-Type-Options: nosniff\r\n",
          "Referrer-Policy: no-referrer\r\n", "Cross-Origin-Resource-Policy: same-origin\r\n",
          "Cross-Origin-Opener-Policy: same-origin\r\n"}) {
      EXPECT_THAT(answer, HasSubstr(header));
    }
    EXPECT_THAT(answer, Not(HasSubstr("Access-Control")));
  }
}

// Two would leave open which one counts.
TEST(Http, TwoHostsAreNone) {
  const Running running;
  Client client(running.port());
  EXPECT_THAT(client.Ask(GetText("/", "Host: localhost\r\n")),
              AnyOf(StartsWith("HTTP/1.1 400"), HasSubstr("host=localhost, localhost ")));
}

TEST(Http, ConnectionsStayOpen) {
  const Running running;
  Client client(running.port());
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(client.Ask(GetText(fmt::format("/{}", i))), HasSubstr(fmt::format("GET /{} ", i)));
  }
  client.Send(GetText("/first") + GetText("/second"));
  EXPECT_THAT(client.Receive(), HasSubstr("/first"));
  EXPECT_THAT(client.Receive(), HasSubstr("/second"));
  EXPECT_THAT(client.Ask(GetText("/last", "Connection: close\r\n")), HasSubstr("/last"));
  EXPECT_TRUE(client.IsClosed());
}

TEST(Http, HeadHasNoBody) {
  const Running running;
  Client client(running.port());
  client.Send("HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.Receive(),
              AllOf(HasSubstr("200 OK"), HasSubstr("Content-Length: "), Not(HasSubstr("GET /x"))));
  EXPECT_TRUE(client.IsClosed());
}

TEST(Http, UnchangedHasNoBody) {
  const Running running;
  Client client(running.port());
  EXPECT_THAT(client.Ask(GetText("/unchanged")),
              AllOf(StartsWith("HTTP/1.1 304"), HasSubstr("ETag: \"e\"\r\n")));
  EXPECT_THAT(client.Ask(GetText("/next")), HasSubstr("GET /next"));
}

TEST(Http, ReadsBodies) {
  const Running running;
  Client client(running.port());
  const std::string post = PostText("/api/open", R"({"path": "x"})");
  const size_t half = post.size() - 5;
  client.Send(GetText("/1") + post.substr(0, half));
  EXPECT_THAT(client.Receive(), HasSubstr("GET /1"));
  client.Send(post.substr(half) + GetText("/2"));
  EXPECT_THAT(client.Receive(), HasSubstr(R"(POST /api/open body={"path": "x"} )"));
  EXPECT_THAT(client.Receive(), HasSubstr("GET /2"));
  const std::string most(1 << 20, 'y');
  EXPECT_THAT(client.Ask(PostText("/api/open", most)), HasSubstr("body=" + most + " "));
  EXPECT_THAT(client.Ask("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
              HasSubstr("body=abcde "));
}

TEST(Http, TooLargeABodyIsRefused) {
  const Running running;
  Client client(running.port());
  EXPECT_THAT(client.Ask(PostText("/api/open", std::string((1 << 20) + 1, 'y'))),
              AllOf(StartsWith("HTTP/1.1 413"), HasSubstr(R"({"error": {"what": )")));
  EXPECT_THAT(client.Ask(GetText("/next")), HasSubstr("GET /next body= host=localhost "));
  // One without end.
  client.Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n");
  for (int i = 0; i < 20; ++i) client.Send(std::string(1 << 20, 'y'));
  EXPECT_TRUE(client.IsClosed());
}

// The library answers in its own words.
TEST(Http, NonsenseEndsTheConnection) {
  const Running running;
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const std::string& text :
       {std::string("hello\r\n\r\n"), std::string("GET /\r\n\r\n"),
        std::string("GET / HTTP/3.0\r\n\r\n"), std::string("\x16\x03\x01\x02\r\n\r\n"),
        GetText("/" + std::string(70'000, 'x')),
        GetText("/", "A: " + std::string(70'000, 'x') + "\r\n"),
        "GET / HTTP/1.1\r\nA: " + std::string(3 << 20, 'x'), post + "Content-Length: two\r\n\r\n{}",
        post + "Content-Length: -2\r\n\r\n{}", post + "Transfer-Encoding: chunked\r\n\r\nx\r\n"}) {
    Client client(running.port());
    EXPECT_THAT(client.Ask(text), Not(HasSubstr("200 OK"))) << text.substr(0, 80);
    EXPECT_TRUE(client.IsClosed());
  }
}

TEST(Http, AHandlerThatFailsIsA500) {
  const Running running;
  Client client(running.port());
  EXPECT_THAT(
      client.Ask(GetText("/throw")),
      AllOf(StartsWith("HTTP/1.1 500"), HasSubstr(R"({"error": {"what": )"), Not(HasSubstr("oh"))));
  EXPECT_THAT(client.Ask(GetText("/next")), HasSubstr("GET /next"));
}

// Hundreds wait for what does not come, and take no thread.
TEST(Http, SlowClientsDoNotHoldUpOthers) {
  const Running running(Echo, {.threads = 1});
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 600; ++i) {
    slow.push_back(std::make_unique<Client>(running.port()));
    if (i % 3 == 1) slow.back()->Send("GET / HT");
    if (i % 3 == 2) slow.back()->Send(PostText("/api/open", "{}").substr(0, 90));
  }
  Client client(running.port());
  EXPECT_THAT(client.Ask(GetText("/quick")), HasSubstr("GET /quick"));
}

TEST(Http, QuietClientsHaveTheirTime) {
  const Running running(Echo, {.quiet_s = 1});
  Client idle(running.port()), slow(running.port()), unread(running.port());
  slow.Send("GET / HT");
  unread.Send(GetText("/large"));
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_TRUE(slow.IsClosed());
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_LT(unread.Receive().size(), size_t{20} << 20);
}

// However often a little of it arrives.
TEST(Http, ThoseThatAskLeastMakeWay) {
  const Running running(Echo, {.connections = 2});
  Client drip(running.port()), asks(running.port());
  drip.Send("GET /");
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(asks.Ask(GetText("/asks")), HasSubstr("GET /asks"));
    drip.Send("x");
  }
  Client third(running.port());
  EXPECT_TRUE(drip.IsClosed());
  EXPECT_THAT(asks.Ask(GetText("/asks")), HasSubstr("GET /asks"));
  EXPECT_THAT(third.Ask(GetText("/third")), HasSubstr("GET /third"));
}

TEST(Http, ThoseThatAreAnsweredMakeNoWay) {
  std::latch begun(2), go(1);
  const Running running(
      [&](const Request& request) {
        begun.count_down();
        go.wait();
        return Echo(request);
      },
      {.connections = 2});
  Client first(running.port()), second(running.port());
  first.Send(GetText("/first"));
  second.Send(GetText("/second"));
  begun.wait();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Client(running.port()).IsClosed());
  go.count_down();
  EXPECT_THAT(first.Receive(), HasSubstr("GET /first"));
  EXPECT_THAT(second.Receive(), HasSubstr("GET /second"));
}

TEST(Http, LargeAnswersAreSentWhileOthersAreAnswered) {
  const Running running(Echo, {.threads = 1});
  std::vector<std::unique_ptr<Client>> unread;
  for (int i = 0; i < 5; ++i) {
    unread.push_back(std::make_unique<Client>(running.port()));
    unread.back()->Send(GetText("/large"));
  }
  Client client(running.port());
  EXPECT_THAT(client.Ask(GetText("/small")), HasSubstr("GET /small"));
  // Whole and plain, whatever a client accepts.
  const std::string large =
      client.Ask(GetText("/large", "Range: bytes=0-3\r\nAccept-Encoding: gzip, br\r\n"));
  EXPECT_THAT(large, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(large, EndsWith("\r\n\r\n" + std::string(20 << 20, 'x')));
  EXPECT_EQ(unread[0]->Receive().size(), large.size());
  EXPECT_THAT(unread[0]->Ask(GetText("/next")), HasSubstr("GET /next"));
}

TEST(Http, AnAnswerOnItsWayIsNotCutOffByIdleClients) {
  const Running running(Echo, {.connections = 3, .threads = 1});
  Client slow(running.port()), other(running.port());
  slow.Send(GetText("/large"));
  EXPECT_THAT(other.Ask(GetText("/small")),
              HasSubstr("GET /small"));  // answered after the large one
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 10; ++i) idle.push_back(std::make_unique<Client>(running.port()));
  EXPECT_TRUE(idle.front()->IsClosed());
  EXPECT_THAT(slow.Receive(), EndsWith(std::string(20 << 20, 'x')));
}

TEST(Http, PathsWithAZeroByteAreRefused) {
  const Running running(Echo);
  Client client(running.port());
  for (const char* path : {"/%00", "/x%00", "/a%00b?c=d"}) {
    const std::string answer = client.Ask(GetText(path));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400")) << path;
    EXPECT_THAT(answer, HasSubstr("the address holds a zero byte"));
  }
  // Elsewhere it is a byte as any other, and the next request is not blamed for the last one.
  EXPECT_THAT(client.Ask(GetText("/x%2500?a=b%00c")),
              HasSubstr(std::string("GET /x%00 body= a=b\0c", 21)));
}

TEST(Http, BodiesThatAreNotReadAreRefusedAtOnce) {
  const Running running(Echo);
  const auto answer = [&](const std::string& fields) {
    return Client(running.port()).Ask("POST /x HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
  };
  EXPECT_THAT(answer("Transfer-Encoding: gzip\r\n"), StartsWith("HTTP/1.1 501"));
  EXPECT_THAT(answer("Transfer-Encoding: gzip, chunked\r\n"), StartsWith("HTTP/1.1 501"));
  EXPECT_THAT(answer("Content-Length: 9999999999\r\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer("Content-Length: 2000000\r\nExpect: 100-continue\r\n"),
              StartsWith("HTTP/1.1 413"));
}

// An answer that waits until its client has hung up.
Response AwaitAbandoned(const Request& request, std::atomic<int>& noticed) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!*request.abandoned && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (*request.abandoned) ++noticed;
  return {200, "text/plain", "late", {}};
}

TEST(Http, AnswersAreToldThatTheirClientsAreGone) {
  std::atomic<int> noticed = 0;
  std::latch begun(2);
  const Running running([&](const Request& request) {
    if (request.path != "/long") return Echo(request);
    begun.count_down();
    return AwaitAbandoned(request, noticed);
  });
  auto gone = std::make_unique<Client>(running.port());
  Client half(running.port());
  gone->Send(GetText("/long"));
  half.Send(GetText("/long"));
  begun.wait();
  // Others are answered meanwhile.
  Client other(running.port());
  EXPECT_THAT(other.Ask(GetText("/quick")), HasSubstr("GET /quick"));
  gone.reset();
  half.CloseItsSide();
  while (noticed < 2) std::this_thread::yield();
}

TEST(Http, FurtherRequestsAreNoHangUp) {
  std::latch begun(1), go(1);
  bool abandoned = true;
  const Running running([&](const Request& request) {
    if (request.path != "/first") return Echo(request);
    begun.count_down();
    go.wait();
    abandoned = *request.abandoned;
    return Response{};
  });
  Client client(running.port());
  client.Send(GetText("/first"));
  begun.wait();
  client.Send(GetText("/second"));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  go.count_down();
  client.Receive();
  EXPECT_FALSE(abandoned);
  EXPECT_THAT(client.Receive(), HasSubstr("GET /second"));
}

TEST(Http, StopEndsOpenConnections) {
  Running running;
  Client used(running.port()), idle(running.port()), half(running.port());
  used.Ask(GetText("/"));
  half.Send("GET / HTTP/1.1\r\nHo");
  running.Stop();
  EXPECT_TRUE(used.IsClosed());
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_TRUE(half.IsClosed());
}

TEST(Http, StopTellsTheAnswersAtWork) {
  std::atomic<int> noticed = 0;
  std::latch begun(1);
  Running running([&](const Request& request) {
    begun.count_down();
    return AwaitAbandoned(request, noticed);
  });
  Client client(running.port());
  client.Send(GetText("/"));
  begun.wait();
  running.Stop();
  EXPECT_EQ(noticed, 1);
}

TEST(Http, StopBeforeServe) {
  HttpServer server("127.0.0.1", 0, Echo);
  const int port = server.port();
  server.Stop();
  server.Stop();
  server.Serve();
  // Its port is free again.
  EXPECT_EQ(HttpServer("127.0.0.1", port, Echo).port(), port);
}

TEST(Http, ManyClientsAtOnce) {
  const Running running;
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 50; ++t) {
    threads.emplace_back([&, t] {
      Client client(running.port());
      for (int i = 0; i < 40; ++i) {
        const std::string wanted = fmt::format("/{}/{}", t, i);
        if (client.Ask(GetText(wanted)).find("GET " + wanted + " ") != std::string::npos) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 50 * 40);
}

}  // namespace
}  // namespace vggt
