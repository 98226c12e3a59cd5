// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace vggt {
namespace {

constexpr size_t kLongestWhere = 1000;

std::string Join(const std::string& what, const std::string& where, const std::string& hint) {
  std::string text = where.empty() ? what : Printable(where, kLongestWhere) + ": " + what;
  if (!hint.empty()) {
    if (text.back() != '.') text += '.';
    text += ' ' + hint;
  }
  return text;
}

// Length of the well-formed UTF-8 sequence at text[i], 0 if there is none.
size_t Utf8Length(const std::string& text, size_t i) {
  const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char lead = byte(i);
  const size_t n = lead < 0x80   ? 1
                   : lead < 0xC2 ? 0
                   : lead < 0xE0 ? 2
                   : lead < 0xF0 ? 3
                   : lead < 0xF5 ? 4
                                 : 0;
  if (n == 0 || i + n > text.size()) return 0;
  for (size_t k = 1; k < n; ++k) {
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
  }
  return n;
}

}  // namespace

Error::Error(const std::string& what, const std::string& where, const std::string& hint)
    : std::runtime_error(Join(what, where, hint)), problem_(what), where_(where), hint_(hint) {}

void ThrowSystemError(int error_number, const std::string& doing, const std::string& where) {
  std::string hint;
  if (error_number == ENOSPC) hint = "The disk is full: free space or choose another folder.";
  if (error_number == EACCES || error_number == EPERM) hint = "Check the permissions.";
  throw Error(fmt::format("{}: {}", doing, std::strerror(error_number)), where, hint);
}

std::string HumanBytes(double bytes) {
  static constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f} B", bytes);
  return fmt::format("{:.{}f} {}", bytes, bytes < 9.995 ? 2 : bytes < 99.95 ? 1 : 0, kUnits[unit]);
}

std::string Printable(const std::string& text, size_t limit) {
  std::string out;
  size_t characters = 0;
  for (size_t i = 0; i < text.size();) {
    if (++characters > limit) return out + "…";
    const size_t n = Utf8Length(text, i);
    // U+0080 to U+009F are control characters, which terminals obey.
    const bool control_1 =
        n == 2 && text[i] == '\xC2' && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    const bool plain = (n > 1 && !control_1) || (n == 1 && text[i] >= ' ' && text[i] != 0x7F);
    out += plain ? text.substr(i, n) : "?";
    i += n == 0 ? 1 : n;
  }
  return out;
}

}  // namespace vggt
