// SPDX-License-Identifier: Apache-2.0
#include "server/connections.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <latch>
#include <set>
#include <thread>
#include <vector>

namespace vggt {
namespace {

// The client's end of a connection.
class Peer {
 public:
  explicit Peer(Connections& connections) {
    std::array<int, 2> ends;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      ADD_FAILURE() << "no sockets";
    }
    fd_ = ends[0];
    const timeval patience = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connections.Add(ends[1]);
  }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() { Close(); }

  void Say(const std::string& text) const {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), std::ssize(text));
  }
  // Exactly so many bytes, fewer if the connection ends.
  std::string Hear(size_t size) const {
    std::string heard(size, '\0');
    size_t n = 0;
    for (ssize_t more = 1; n < size && more > 0;
         n += static_cast<size_t>(std::max<ssize_t>(more, 0))) {
      more = recv(fd_, heard.data() + n, size - n, 0);
    }
    heard.resize(n);
    return heard;
  }
  bool Ends() const {
    char byte;
    return recv(fd_, &byte, 1, 0) == 0 || errno == ECONNRESET;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void CloseItsSide() const { shutdown(fd_, SHUT_WR); }

 private:
  int fd_ = -1;
};

// Requests are "…\r\n\r\n"; the answer is the same text. "5…" has a body of 5 bytes.
Exchange::Next Repeat(Exchange& exchange) {
  std::string text;
  while (!text.ends_with("\r\n\r\n")) {
    const std::string_view more = exchange.Take(1);
    if (more.empty()) return Exchange::Next::kLinger;
    text += more;
  }
  if (text[0] == '5') text += exchange.Take(5);
  exchange.Send(text);
  return text[0] == 'q' ? Exchange::Next::kClose : Exchange::Next::kKeep;
}

size_t FiveAfterFive(std::string_view header) { return header[0] == '5' ? 5 : 0; }

TEST(Connections, AnswerWholeRequestsOneAfterAnother) {
  Connections connections(Repeat, FiveAfterFive);
  const Peer peer(connections);
  for (const char* piece : {"a", "bc\r", "\n\r", "\n"}) peer.Say(piece);
  EXPECT_EQ(peer.Hear(7), "abc\r\n\r\n");
  peer.Say("x\r\n\r\n5\r\n\r\n12");  // one and a half
  EXPECT_EQ(peer.Hear(5), "x\r\n\r\n");
  peer.Say("345z\r\n\r\nq\r\n\r\n");
  EXPECT_EQ(peer.Hear(10), "5\r\n\r\n12345");
  EXPECT_EQ(peer.Hear(5), "z\r\n\r\n");
  EXPECT_EQ(peer.Hear(6), "q\r\n\r\n");
}

// Hundreds wait for what does not come, and take no thread.
TEST(Connections, SlowClientsTakeNoThread) {
  Connections connections(Repeat, FiveAfterFive, {.threads = 1});
  std::vector<Peer> slow;
  for (int i = 0; i < 200; ++i) {
    slow.emplace_back(connections);
    slow.back().Say(i % 2 == 0 ? "half" : "5\r\n\r\n1");
  }
  const Peer peer(connections);
  peer.Say("x\r\n\r\n");
  EXPECT_EQ(peer.Hear(5), "x\r\n\r\n");
}

TEST(Connections, HaveTheirTime) {
  Connections connections(Repeat, FiveAfterFive, {.request_ms = 50, .idle_ms = 50});
  const Peer idle(connections), slow(connections);
  slow.Say("half");
  EXPECT_TRUE(idle.Ends());
  EXPECT_TRUE(slow.Ends());
}

TEST(Connections, TheIdleMakeWayBeforeTheSlow) {
  Connections connections(Repeat, FiveAfterFive, {.connections = 2});
  const Peer slow(connections);
  slow.Say("x\r\n\r\nhalf");
  EXPECT_EQ(slow.Hear(5), "x\r\n\r\n");
  const Peer idle(connections);
  const Peer third(connections);
  EXPECT_TRUE(idle.Ends());
  slow.Say("\r\n\r\n");
  EXPECT_EQ(slow.Hear(8), "half\r\n\r\n");
  third.Say("y\r\n\r\n");
  EXPECT_EQ(third.Hear(5), "y\r\n\r\n");
}

TEST(Connections, WhatIsTooLongIsHandedOver) {
  std::atomic<size_t> seen = 0;
  Connections connections(
      [&](Exchange& exchange) {
        seen = exchange.Take(1 << 20).size();
        exchange.Send("no");
        return Exchange::Next::kLinger;
      },
      FiveAfterFive, {.header_bytes = 1000});
  const Peer peer(connections);
  peer.Say(std::string(5000, 'x'));
  EXPECT_EQ(peer.Hear(2), "no");
  EXPECT_GT(seen, 1000U);
}

TEST(Connections, LargeAnswersAreSentWhileOthersAreAnswered) {
  const std::string large(20 << 20, 'x');
  Connections connections(
      [&](Exchange& exchange) {
        const char first = exchange.Take(1)[0];
        exchange.Take(100);
        exchange.Send(first == 'l' ? large : "small");
        return Exchange::Next::kKeep;
      },
      FiveAfterFive, {.threads = 1});
  std::vector<Peer> unread;
  for (int i = 0; i < 5; ++i) {
    unread.emplace_back(connections);
    unread.back().Say("l\r\n\r\n");
  }
  const Peer peer(connections);
  peer.Say("s\r\n\r\n");
  EXPECT_EQ(peer.Hear(5), "small");
  EXPECT_EQ(unread[0].Hear(large.size()), large);
  unread[0].Say("s\r\n\r\n");
  EXPECT_EQ(unread[0].Hear(5), "small");
}

TEST(Connections, AnswersThatNobodyReadsAreGivenUp) {
  Connections connections(
      [](Exchange& exchange) {
        exchange.Take(100);
        exchange.Send(std::string(20 << 20, 'x'));
        return Exchange::Next::kKeep;
      },
      FiveAfterFive, {.write_ms = 50});
  const Peer peer(connections);
  peer.Say("x\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(peer.Hear(20 << 20).size(), size_t{20} << 20);
}

// An answer that waits until its client has hung up.
Exchange::Next AwaitAbandoned(Exchange& exchange, std::atomic<int>& noticed) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!*exchange.abandoned() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (*exchange.abandoned()) ++noticed;
  exchange.Take(100);
  exchange.Send("late");
  return Exchange::Next::kKeep;
}

TEST(Connections, ClientsThatHangUpAreNoticed) {
  std::atomic<int> noticed = 0;
  std::latch begun(2);
  Connections connections(
      [&](Exchange& exchange) {
        begun.count_down();
        return AwaitAbandoned(exchange, noticed);
      },
      FiveAfterFive);
  Peer gone(connections);
  const Peer half(connections);
  gone.Say("x\r\n\r\n");
  half.Say("x\r\n\r\n");
  begun.wait();
  gone.Close();
  half.CloseItsSide();
  EXPECT_EQ(half.Hear(4), "late");  // may still read
  while (noticed < 2) std::this_thread::yield();
}

TEST(Connections, FurtherRequestsAreNoHangUp) {
  std::latch begun(1), go(1);
  bool abandoned = true;
  Connections connections(
      [&](Exchange& exchange) {
        begun.count_down();
        go.wait();
        abandoned = *exchange.abandoned();
        return Repeat(exchange);
      },
      FiveAfterFive);
  const Peer peer(connections);
  peer.Say("x\r\n\r\n");
  begun.wait();
  peer.Say("qy\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  go.count_down();
  EXPECT_EQ(peer.Hear(5), "x\r\n\r\n");
  EXPECT_FALSE(abandoned);
}

TEST(Connections, StopEndsAllAndTellsTheAnswersAtWork) {
  std::atomic<int> noticed = 0;
  std::latch begun(1);
  Connections connections(
      [&](Exchange& exchange) {
        begun.count_down();
        return AwaitAbandoned(exchange, noticed);
      },
      FiveAfterFive);
  const Peer idle(connections), asking(connections);
  asking.Say("x\r\n\r\n");
  begun.wait();
  connections.Stop();
  EXPECT_EQ(noticed, 1);
  EXPECT_TRUE(idle.Ends());
  const Peer late(connections);
  EXPECT_TRUE(late.Ends());
}

TEST(Connections, AnAnswererThatThrowsEndsTheConnection) {
  Connections connections([](Exchange&) -> Exchange::Next { throw std::bad_alloc(); },
                          FiveAfterFive);
  for (int i = 0; i < 3; ++i) {
    const Peer peer(connections);
    peer.Say("x\r\n\r\n");
    EXPECT_TRUE(peer.Ends());
  }
}

}  // namespace
}  // namespace vggt
