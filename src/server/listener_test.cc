// SPDX-License-Identifier: Apache-2.0
#include "server/listener.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::AllOf;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Listener, APortIsTakenOnce) {
  Descriptor first = Listen("127.0.0.1", 0);
  const int port = PortOf(first);
  EXPECT_GT(port, 0);
  EXPECT_THAT(ErrorOf([&] { Listen("127.0.0.1", port); }),
              AllOf(HasSubstr(fmt::format("port {} is taken. Try --server_port ", port)),
                    Not(HasSubstr(fmt::format("--server_port {}.", port)))));
  first = Descriptor();
  EXPECT_EQ(PortOf(Listen("", port)), port);
}

TEST(Listener, AddressesThatAreNotOurs) {
  EXPECT_THAT(ErrorOf([&] { Listen("192.0.2.1", 0); }),
              HasSubstr("192.0.2.1: is no address of this machine"));
  EXPECT_THAT(ErrorOf([&] { Listen("no such host", 7860); }),
              HasSubstr("is no address of this machine"));
}

}  // namespace
}  // namespace vggt
