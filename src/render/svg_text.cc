// SPDX-License-Identifier: Apache-2.0
#include "render/svg_text.h"

#include <glib.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace vggt {
namespace {

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      default:
        escaped += letter;
    }
  }
  return escaped;
}

std::string Element(const char* name, const std::string& text) {
  return text.empty() ? "" : std::string("<") + name + ">" + Escaped(text) + "</" + name + ">\n";
}

// Copies `svg` and gives every name between one of the openings and the mark that ends it a new
// one.
std::string Renumbered(std::string_view svg) {
  // What stands before a name. Base64, by far the longest texts, has neither quotes nor "#".
  constexpr std::string_view kOpenings[] = {" id=\"", "=\"#", "url(#"};
  std::map<std::string, std::string, std::less<>> names;
  std::string out;
  out.reserve(svg.size());
  size_t next[std::size(kOpenings)];
  for (size_t i = 0; i < std::size(kOpenings); ++i) next[i] = svg.find(kOpenings[i]);
  for (size_t at = 0;;) {
    const size_t which =
        static_cast<size_t>(std::min_element(std::begin(next), std::end(next)) - next);
    if (next[which] == std::string_view::npos) {
      out += svg.substr(at);
      return out;
    }
    const size_t from = next[which] + kOpenings[which].size();
    const size_t to = std::min(svg.find_first_of("\")", from), svg.size());
    const std::string name(svg.substr(from, to - from));
    auto [known, is_new] = names.try_emplace(name);
    if (is_new) known->second = "n" + std::to_string(names.size() - 1);
    out.append(svg.substr(at, from - at)).append(known->second);
    at = to;
    next[which] = svg.find(kOpenings[which], to);
  }
}

void InsertAll(std::string& text, std::string_view before, std::string_view what) {
  std::string out;
  size_t at = 0;
  for (size_t found; (found = text.find(before, at)) != std::string::npos;
       at = found + before.size()) {
    out.append(text, at, found - at).append(what).append(before);
  }
  out.append(text, at);
  text = std::move(out);
}

}  // namespace

std::string ValidText(const std::string& text) {
  char* made = g_utf8_make_valid(text.data(), static_cast<gssize>(text.size()));
  const std::string utf8(made);
  g_free(made);
  std::string valid;
  for (const char* p = utf8.c_str(); *p != 0; p = g_utf8_next_char(p)) {
    const gunichar letter = g_utf8_get_char(p);
    const bool is_control = letter < 0x20 ? letter != '\n' && letter != '\t' && letter != '\r'
                                          : letter == 0x7f || letter >= 0xfffe;
    const bool is_kept = !is_control || letter > 0xffff;
    valid += is_kept ? std::string(p, static_cast<const char*>(g_utf8_next_char(p))) : "\ufffd";
  }
  return valid;
}

std::vector<uint8_t> FinishedSvg(std::span<const uint8_t> svg, const SvgNotes& notes) {
  std::string text = Renumbered({reinterpret_cast<const char*>(svg.data()), svg.size()});
  // Later versions of Cairo write it themselves.
  if (text.find("image-rendering") == std::string::npos) {
    InsertAll(text, " xlink:href=\"data:image/png", " image-rendering=\"pixelated\"");
  }
  const std::string head = Element("title", notes.title) + Element("desc", notes.creator) +
                           Element("metadata", notes.recipe);
  const size_t root = text.find("<svg");
  const size_t body = root == std::string::npos ? root : text.find('>', root);
  if (body != std::string::npos) text.insert(body + 1, "\n" + head);
  return {text.begin(), text.end()};
}

}  // namespace vggt
