// SPDX-License-Identifier: Apache-2.0
#include "server/http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::AllOf;
using testing::ErrorOf;
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
  if (request.path == "/unchanged") return {304, "", "", {{"ETag", "\"e\""}}};
  if (request.path == "/large") return {200, "text/plain", std::string(5'000'000, 'x'), {}};
  std::string text = fmt::format("{} {} body={}", request.method, request.path, request.body);
  for (const auto& [key, value] : request.query) text += fmt::format(" {}={}", key, value);
  text += fmt::format(" host={} origin={} type={} match={} site={}.", request.host, request.origin,
                      request.content_type, request.if_none_match, request.fetch_site);
  return {200, "text/plain", text, {{"X-Test", "yes"}}};
}

class Running {
 public:
  explicit Running(HttpHandler handler = Echo)
      : server_("127.0.0.1", 0, std::move(handler)), thread_([this] { server_.Serve(); }) {}
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
  const std::string answer = client.Ask(GetText("/a%20b?x=1&y=%26&x=2",
                                                "Origin: http://o\r\nIf-None-Match: \"e\"\r\n"
                                                "Sec-Fetch-Site: none\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Test: yes\r\n"));
  EXPECT_THAT(answer, HasSubstr("GET /a b body= x=1 x=2 y=& host=localhost origin=http://o type= "
                                "match=\"e\" site=none."));
}

TEST(Http, SafetyHeadersOnEveryAnswer) {
  const Running running;
  for (const std::string& text : {GetText("/"), GetText("/throw"), std::string("nonsense\r\n\r\n"),
                                  GetText("/" + std::string(9000, 'x'))}) {
    Client client(running.port());
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

TEST(Http, HeadIsGetWithoutABody) {
  const Running running;
  Client client(running.port());
  client.Send("HEAD /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string answer = client.Receive();
  EXPECT_THAT(answer, AllOf(HasSubstr("200 OK"), HasSubstr("Content-Length: ")));
  EXPECT_THAT(answer, Not(HasSubstr("GET /x")));
  EXPECT_TRUE(client.IsClosed());
}

TEST(Http, UnchangedHasNoLength) {
  const Running running;
  Client client(running.port());
  const std::string answer = client.Ask(GetText("/unchanged"));
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 304"), HasSubstr("ETag: \"e\"")));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(client.Ask(GetText("/next")), HasSubstr("GET /next"));
}

TEST(Http, AnswersAreWholeAndPlain) {
  const Running running;
  Client client(running.port());
  const std::string answer =
      client.Ask(GetText("/large", "Range: bytes=0-3\r\nAccept-Encoding: gzip, br\r\n"));
  EXPECT_THAT(answer.substr(0, 1000), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer.substr(0, 1000), HasSubstr("Content-Length: 5000000\r\n"));
  EXPECT_GT(answer.size(), 5'000'000U);
}

TEST(Http, ReadsOneKindOfBody) {
  const Running running;
  Client client(running.port());
  EXPECT_THAT(client.Ask(PostText("/api/open", R"({"path": "x"})")),
              HasSubstr(R"(POST /api/open body={"path": "x"})"));
  const std::string most(1 << 20, 'y');
  EXPECT_THAT(client.Ask(PostText("/api/open", most)), HasSubstr("body=yyy"));
  for (const std::string& text :
       {PostText("/api/open", "a=1", "application/x-www-form-urlencoded"),
        PostText("/api/open", "--x\r\n", "multipart/form-data; boundary=x"),
        PostText("/elsewhere", "{}")}) {
    Client other(running.port());
    EXPECT_THAT(other.Ask(text), HasSubstr("body= "));  // the routes see the rest
    EXPECT_TRUE(other.IsClosed());
  }
}

TEST(Http, RefusesOtherBodies) {
  const Running running;
  const std::string open =
      "POST /api/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  for (const auto& [text, status] : {
           std::pair(PostText("/api/open", std::string((1 << 20) + 1, 'y')), "413"),
           std::pair(open + "Content-Length: 99999999999999\r\n\r\n{}", "413"),
           std::pair(std::string("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
                     "400"),
           std::pair(std::string("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     "400"),
       }) {
    Client client(running.port());
    EXPECT_THAT(client.Ask(text), StartsWith(fmt::format("HTTP/1.1 {}", status)));
    EXPECT_TRUE(client.IsClosed());
  }
  // Of unknown length, or packed: not read.
  for (const char* header :
       {"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "Content-Length: two\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}"}) {
    Client client(running.port());
    EXPECT_THAT(client.Ask(open + header), HasSubstr("body= "));
    EXPECT_TRUE(client.IsClosed());
  }
}

TEST(Http, NonsenseIsRefused) {
  const Running running;
  for (const std::string& text :
       {std::string("\r\n\r\n"), std::string("hello\r\n\r\n"), std::string("GET /\r\n\r\n"),
        std::string("GET / HTTP/3.0\r\n\r\n"), std::string("BREW / HTTP/1.1\r\n\r\n"),
        std::string("\x16\x03\x01\x02\r\n\r\n"),
        "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n",
        GetText("/", "A: " + std::string(9000, 'x') + "\r\n")}) {
    Client client(running.port());
    EXPECT_THAT(client.Ask(text), StartsWith("HTTP/1.1 4")) << text.substr(0, 40);
    EXPECT_TRUE(client.IsClosed());
  }
  // Headers without end.
  Client client(running.port());
  std::string endless = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 200'000; ++i) endless += "A: aaaaaaaaaaaa\r\n";
  client.Send(endless);
  EXPECT_TRUE(client.IsClosed());
}

TEST(Http, AHandlerThatFailsIsA500) {
  const Running running;
  Client client(running.port());
  EXPECT_THAT(
      client.Ask(GetText("/throw")),
      AllOf(StartsWith("HTTP/1.1 500"), HasSubstr(R"({"error": {"what": )"), Not(HasSubstr("oh"))));
  EXPECT_THAT(client.Ask(GetText("/next")), HasSubstr("GET /next"));
}

TEST(Http, TwoHostsAreNone) {
  const Running running;
  Client client(running.port());
  EXPECT_THAT(client.Ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), HasSubstr("host= "));
}

TEST(Http, SlowClientsDoNotHoldUpOthers) {
  const Running running;
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 90; ++i) {
    slow.push_back(std::make_unique<Client>(running.port()));
    slow.back()->Send("GET / HT");
  }
  Client client(running.port());
  EXPECT_THAT(client.Ask(GetText("/quick")), HasSubstr("GET /quick"));
  // After its time the slow one is given up.
  EXPECT_TRUE(slow.front()->IsClosed());
}

TEST(Http, IdleConnectionsMakeWay) {
  const Running running;
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 120; ++i) idle.push_back(std::make_unique<Client>(running.port()));
  Client client(running.port());
  EXPECT_THAT(client.Ask(GetText("/quick")), HasSubstr("GET /quick"));
}

TEST(Http, ALongAnswerIsToldThatItsClientIsGone) {
  std::atomic<bool> noticed = false;
  std::latch asked(1), ended(1);
  const Running running([&](const Request& request) {
    if (request.path != "/long") return Echo(request);
    asked.count_down();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!*request.abandoned && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    noticed = request.abandoned->load();
    ended.count_down();
    return Response{};
  });
  {
    Client client(running.port());
    client.Send(GetText("/long"));
    asked.wait();
    // Others are answered meanwhile.
    Client other(running.port());
    EXPECT_THAT(other.Ask(GetText("/quick")), HasSubstr("GET /quick"));
  }
  ended.wait();
  EXPECT_TRUE(noticed);
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

TEST(Http, StopEndsAnswersThatNobodyReads) {
  std::latch asked(1);
  Running running([&](const Request&) {
    asked.count_down();
    return Response{200, "text/plain", std::string(64 << 20, 'x'), {}};
  });
  Client client(running.port());
  client.Send(GetText("/"));
  asked.wait();
  running.Stop();
}

TEST(Http, StopBeforeServe) {
  HttpServer server("127.0.0.1", 0, Echo);
  server.Stop();
  server.Stop();
  server.Serve();
}

TEST(Http, APortIsTakenOnce) {
  std::optional<HttpServer> first;
  first.emplace("127.0.0.1", 0, Echo);
  const int port = first->port();
  EXPECT_THAT(ErrorOf([&] { HttpServer("127.0.0.1", port, Echo); }),
              AllOf(HasSubstr(fmt::format("port {} is taken. Try --server_port ", port)),
                    Not(HasSubstr(fmt::format("--server_port {}.", port)))));
  first.reset();
  HttpServer again("127.0.0.1", port, Echo);
  EXPECT_EQ(again.port(), port);
}

TEST(Http, ThePortIsFreeAgainAfterwards) {
  int port = 0;
  {
    const Running running;
    port = running.port();
    Client client(port);
    client.Ask(GetText("/", "Connection: close\r\n"));
  }
  HttpServer again("127.0.0.1", port, Echo);
  EXPECT_EQ(again.port(), port);
}

TEST(Http, AddressesThatAreNotOurs) {
  EXPECT_THAT(ErrorOf([&] { HttpServer("192.0.2.1", 0, Echo); }),
              HasSubstr("192.0.2.1: is no address of this machine"));
  EXPECT_THAT(ErrorOf([&] { HttpServer("no such host", 7860, Echo); }),
              HasSubstr("is no address of this machine"));
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
