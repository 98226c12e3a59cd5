// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace vggt {
namespace {

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// "[::1]" -> "::1".
std::string Unbracketed(const std::string& host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

// "localhost:7860" -> "localhost", "[::1]:7860" -> "::1"; "" if it is neither of a known form.
std::string HostName(const std::string& header) {
  const size_t colon = header.rfind(':');
  const bool has_port = colon != std::string::npos && header.back() != ']';
  std::string name = has_port ? header.substr(0, colon) : header;
  if (has_port && (colon + 1 == header.size() ||
                   header.find_first_not_of("0123456789", colon + 1) != std::string::npos)) {
    return "";
  }
  if (name.find(':') != std::string::npos && name.front() != '[') return "";
  return Lower(Unbracketed(name));
}

bool IsAddress(const std::string& name) {
  std::array<unsigned char, 16> ignored;
  return inet_pton(AF_INET, name.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), ignored.data()) == 1;
}

bool IsAllowedHost(const AccessRule& rule, const std::string& name) {
  return std::ranges::any_of(rule.allowed_hosts, [&](const std::string& allowed) {
    return name == Lower(Unbracketed(allowed));
  });
}

// "https://lab.example:8443" -> "lab.example"; "" of anything else.
std::string OriginName(const std::string& origin) {
  const size_t scheme = origin.starts_with("http://") ? 7 : origin.starts_with("https://") ? 8 : 0;
  return scheme > 0 ? HostName(origin.substr(scheme)) : "";
}

bool NamesThisServer(const AccessRule& rule, const std::string& host) {
  const std::string name = HostName(host);
  if (name.empty()) return false;
  if (name == "localhost" || name == "127.0.0.1" || name == "::1") return true;
  if (name == Lower(Unbracketed(rule.server_name)) || IsAllowedHost(rule, name)) return true;
  if (!IsAnyAddress(rule.server_name)) return false;
  const std::string machine = Lower(rule.machine_name);
  return IsAddress(name) || (!machine.empty() && (name == machine || name == machine + ".local"));
}

}  // namespace

bool IsAnyAddress(const std::string& server_name) {
  const std::string name = Unbracketed(server_name);
  return name.empty() || name == "0.0.0.0" || name == "::";
}

bool IsLoopback(const std::string& server_name) {
  const std::string name = Lower(Unbracketed(server_name));
  return name == "localhost" || name == "::1" || (name.starts_with("127.") && IsAddress(name));
}

bool IsHostName(const std::string& name) {
  return !name.empty() && HostName(name) == Lower(Unbracketed(name)) &&
         name.find_first_of("/@*? \t") == std::string::npos;
}

void CheckAccess(const AccessRule& rule, const Request& request, bool is_page) {
  if (!NamesThisServer(rule, request.host)) {
    throw Refusal(403, "the Host header does not name this server", request.host,
                  "Open the address that 'vggt-attn view' printed, give the name you use as "
                  "--server_name, or a proxy's name as --allow_host.");
  }
  const std::string origin = Lower(request.origin), host = Lower(request.host);
  const bool own = origin.empty() || origin == "http://" + host || origin == "https://" + host;
  if (!own && !IsAllowedHost(rule, OriginName(origin))) {
    throw Refusal(403, "a page of another site asks", request.origin);
  }
  const std::string& site = request.fetch_site;
  if (!is_page && !site.empty() && site != "same-origin" && site != "none") {
    throw Refusal(403, "a page of another site asks", "Sec-Fetch-Site: " + site);
  }
}

}  // namespace vggt
