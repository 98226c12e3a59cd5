// SPDX-License-Identifier: Apache-2.0
// Who may ask: keeps pages of other sites, which a browser here may have open, from reading
// answers.
#pragma once

#include <string>

#include "server/message.h"

namespace vggt {

struct AccessRule {
  std::string server_name;   // as given to the server: a name or an address
  std::string machine_name;  // this machine's own; counts only if all addresses are served
};

// Whether `server_name` stands for all addresses of the machine.
bool IsAnyAddress(const std::string& server_name);
// Whether only this machine can reach it.
bool IsLoopback(const std::string& server_name);

// Throws Refusal (403) unless the Host header names this server (a name of another site that was
// made to lead here does not), and Origin and Sec-Fetch-Site, if given, are the page's own. A link
// on another site may lead to the page itself: `is_page`.
void CheckAccess(const AccessRule& rule, const Request& request, bool is_page);

}  // namespace vggt
