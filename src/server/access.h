// SPDX-License-Identifier: Apache-2.0
// Decides who may ask. A browser on this machine may have pages of other sites open: they must not
// read what this server answers.
#pragma once

#include <string>
#include <vector>

#include "server/message.h"

namespace vggt {

struct AccessRule {
  std::string server_name;   // as given to the server: a name or an address
  std::string machine_name;  // this machine's own; counts only if all addresses are served
  // Names, without port, by which a proxy is asked for this server. Pages of theirs may ask, too.
  std::vector<std::string> allowed_hosts = {};
};

// Whether `server_name` stands for all addresses of the machine.
bool IsAnyAddress(const std::string& server_name);
// Whether only this machine can reach it.
bool IsLoopback(const std::string& server_name);

// Whether a name or an address can stand in a Host header, without port: what allowed_hosts holds.
bool IsHostName(const std::string& name);

// Throws Refusal (403) unless the Host header names this server, and Origin and Sec-Fetch-Site, if
// they are given, are the page's own. The check of Host refuses a foreign site that gives its own
// name this machine's address. `is_page`: the page itself is asked for, to which other sites may
// link.
void CheckAccess(const AccessRule& rule, const Request& request, bool is_page);

}  // namespace vggt
