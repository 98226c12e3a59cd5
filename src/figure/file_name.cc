// SPDX-License-Identifier: Apache-2.0
#include "figure/file_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace vggt {
namespace {

constexpr size_t kMostNameBytes = 180;
constexpr std::string_view kPlain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

// Whether a character that is not ASCII is a letter, a mark on one or a digit.
// The C library knows Unicode's classes in this locale, whatever that of the
// program is.
bool IsLetter(wint_t character) {
  static const std::unique_ptr<std::remove_pointer_t<locale_t>, decltype(&freelocale)> locale(
      newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr), &freelocale);
  return locale && iswalnum_l(character, locale.get()) != 0;
}

struct Character {
  char32_t code = 0;
  size_t bytes = 0;  // 0: no well-formed UTF-8
};

Character FirstOf(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t bytes = byte(0) < 0x80           ? 1
                       : (byte(0) >> 5) == 0x06 ? 2
                       : (byte(0) >> 4) == 0x0E ? 3
                       : (byte(0) >> 3) == 0x1E ? 4
                                                : 0;
  if (bytes == 0 || bytes > text.size()) return {};
  if (bytes == 1) return {byte(0), 1};
  char32_t code = byte(0) & (0x7FU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  if (code < kLeast[bytes] || code > 0x10FFFF || surrogate) return {};
  return {code, bytes};
}

// `text` with "_" for each run of other characters. `lossy` becomes true if
// there were any.
std::string Safe(std::string_view text, bool& lossy) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Character character = FirstOf(text.substr(i));
    const bool good = character.bytes == 1 ? kPlain.find(text[i]) != std::string_view::npos
                                           : character.bytes > 1 && IsLetter(character.code);
    if (good) {
      out += text.substr(i, character.bytes);
    } else {
      lossy = true;
      if (!out.ends_with('_')) out += '_';
    }
    i += std::max<size_t>(character.bytes, 1);
  }
  return out;
}

// FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/
uint32_t Digest(std::string_view text) {
  uint32_t digest = 2166136261U;
  for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 16777619U;
  return digest;
}

// At most so many bytes, and no part of a character.
std::string Cut(std::string text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  text.resize(most);
  return text;
}

}  // namespace

std::string RecipeFileName(const RecipePlan& plan, const std::string& extension) {
  const Recipe& r = plan.recipe;
  const bool matrix = r.view == RecipeView::kMatrix;
  bool lossy = false, ignored = false;
  std::string stem = plan.parts.front().source.name;
  if (r.other) stem += (plan.difference() ? "_minus_" : "_and_") + *r.other;
  stem += matrix || r.view == RecipeView::kLayers ? "_layers" : fmt::format("_layer{}", *r.layer);
  stem += matrix || r.view == RecipeView::kHeads ? "_heads" : "_head" + HeadWord(plan, r.head);
  if (matrix) stem += fmt::format("_target{}", r.frame);
  // Of a set its first cell and their number are told.
  for (const Spot& spot : r.queries) {
    stem += '_' + SpotStem(spot);
    lossy = lossy || !spot.more.empty();
  }
  if (!matrix && !r.frames.empty()) stem += fmt::format("_frames{}", fmt::join(r.frames, "-"));
  std::string name = Safe(stem, lossy);
  // These words differ without their commas, too.
  if (!plan.stored()) name += '_' + Safe(AttentionName(plan), ignored);
  // A hidden file, or an option of a program.
  if (name.front() == '.' || name.front() == '-') {
    name.front() = '_';
    lossy = true;
  }
  const std::string end = '.' + extension;
  if (lossy || name.size() + end.size() > kMostNameBytes) {
    const std::string all = stem + '\n' + FormatSpots(r.queries) + '\n' + AttentionName(plan);
    const std::string digest = fmt::format("_{:08x}", Digest(all));
    name = Cut(name, kMostNameBytes - end.size() - digest.size()) + digest;
  }
  return name + end;
}

}  // namespace vggt
