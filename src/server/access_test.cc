// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

bool Allowed(const AccessRule& rule, const Request& request, bool is_page = false) {
  try {
    CheckAccess(rule, request, is_page);
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), 403);
    return false;
  }
  return true;
}

bool HostAllowed(const std::string& server_name, const std::string& host) {
  Request request;
  request.host = host;
  return Allowed({server_name, "box"}, request);
}

TEST(Access, OnLoopbackOnlyItsNames) {
  for (const char* host :
       {"localhost", "LOCALHOST:7860", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:7860"}) {
    EXPECT_TRUE(HostAllowed("127.0.0.1", host)) << host;
  }
  for (const char* host :
       {"", "evil.example", "evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example",
        "192.168.0.7", "box", "localhost:", "localhost:78x", "::1", "[::1", "localhost:1:2",
        "127.0.0.1@evil.example", ":", "[]", "localhost."}) {
    EXPECT_FALSE(HostAllowed("127.0.0.1", host)) << host;
  }
}

TEST(Access, TheNameThatWasGiven) {
  EXPECT_TRUE(HostAllowed("maps.lab", "maps.lab:7860"));
  EXPECT_TRUE(HostAllowed("maps.lab", "Maps.Lab"));
  EXPECT_FALSE(HostAllowed("maps.lab", "box"));
  EXPECT_TRUE(HostAllowed("192.168.0.7", "192.168.0.7:7860"));
  EXPECT_FALSE(HostAllowed("192.168.0.7", "192.168.0.8:7860"));
  EXPECT_TRUE(HostAllowed("[fe80::1]", "[fe80::1]:7860"));
}

TEST(Access, NamesOfProxiesThatWereGiven) {
  const AccessRule rule{"127.0.0.1", "", {"Hub.Example", "[fe80::1]"}};
  Request request;
  for (const char* host : {"hub.example", "HUB.example:8443", "[fe80::1]:80", "localhost:7860"}) {
    request.host = host;
    EXPECT_TRUE(Allowed(rule, request)) << host;
  }
  for (const char* host : {"evil.example", "hub.example.evil.example", "a.hub.example"}) {
    request.host = host;
    EXPECT_FALSE(Allowed(rule, request)) << host;
  }
  // A proxy that puts this server's own name in Host leaves the page's Origin.
  request.host = "localhost:7860";
  for (const char* origin : {"https://hub.example", "http://HUB.example:8443"}) {
    request.origin = origin;
    EXPECT_TRUE(Allowed(rule, request)) << origin;
  }
  for (const char* origin : {"https://evil.example", "hub.example", "ftp://hub.example", "null"}) {
    request.origin = origin;
    EXPECT_FALSE(Allowed(rule, request)) << origin;
  }
}

TEST(Access, WhatCanBeANameOfAHost) {
  for (const char* name : {"hub", "Hub.example", "192.168.0.7", "[::1]"}) {
    EXPECT_TRUE(IsHostName(name)) << name;
  }
  for (const char* name : {"", "https://hub", "hub:80", "hub/", "*", "a b", "a@b"}) {
    EXPECT_FALSE(IsHostName(name)) << name;
  }
}

TEST(Access, OnAllAddressesAnyAddressAndTheMachinesName) {
  for (const char* all : {"0.0.0.0", "::", "[::]"}) {
    EXPECT_TRUE(IsAnyAddress(all));
    EXPECT_TRUE(HostAllowed(all, "192.168.0.7:7860"));
    EXPECT_TRUE(HostAllowed(all, "[2001:db8::1]:7860"));
    EXPECT_TRUE(HostAllowed(all, "Box:7860"));
    EXPECT_TRUE(HostAllowed(all, "box.local"));
    EXPECT_FALSE(HostAllowed(all, "evil.example"));
    EXPECT_FALSE(HostAllowed(all, "1.2.3.4.5"));
  }
  EXPECT_FALSE(IsAnyAddress("127.0.0.1"));
}

TEST(Access, Loopback) {
  for (const char* name : {"localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"}) {
    EXPECT_TRUE(IsLoopback(name)) << name;
  }
  for (const char* name : {"0.0.0.0", "", "127.evil.example", "10.0.0.1", "::"}) {
    EXPECT_FALSE(IsLoopback(name)) << name;
  }
}

TEST(Access, OtherSitesMayNotAsk) {
  const AccessRule rule{"127.0.0.1", ""};
  Request request;
  request.host = "localhost:7860";
  for (const char* origin : {"http://localhost:7860", "HTTP://LOCALHOST:7860"}) {
    request.origin = origin;
    EXPECT_TRUE(Allowed(rule, request)) << origin;
  }
  for (const char* origin : {"null", "http://evil.example", "http://localhost:7861",
                             "http://localhost", "http://localhost:7860.evil.example", "file://"}) {
    request.origin = origin;
    EXPECT_FALSE(Allowed(rule, request)) << origin;
    EXPECT_FALSE(Allowed(rule, request, true)) << origin;
  }
  EXPECT_THAT(ErrorOf([&] { CheckAccess(rule, request, false); }), HasSubstr("another site"));
}

TEST(Access, ALinkElsewhereLeadsToThePageAlone) {
  const AccessRule rule{"127.0.0.1", ""};
  Request request;
  request.host = "localhost:7860";
  for (const char* site : {"cross-site", "same-site", "strange"}) {
    request.fetch_site = site;
    EXPECT_TRUE(Allowed(rule, request, true)) << site;
    EXPECT_FALSE(Allowed(rule, request, false)) << site;
  }
  for (const char* site : {"same-origin", "none"}) {
    request.fetch_site = site;
    EXPECT_TRUE(Allowed(rule, request, false)) << site;
  }
}

}  // namespace
}  // namespace vggt
