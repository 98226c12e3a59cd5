// SPDX-License-Identifier: Apache-2.0
#include "figure/spot.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "attention/request_words.h"

namespace vggt {
namespace {

constexpr size_t kMostSpotDigits = 6;
constexpr size_t kLongestTokenName = 100;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads a spot's text from the left.
class SpotReader {
 public:
  explicit SpotReader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  bool Skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<int64_t> Number() {
    size_t digits = 0;
    int64_t number = 0;
    for (; digits < rest_.size() && IsDigit(rest_[digits]); ++digits) {
      if (digits == kMostSpotDigits) return std::nullopt;
      number = 10 * number + (rest_[digits] - '0');
    }
    if (digits == 0) return std::nullopt;
    rest_.remove_prefix(digits);
    return number;
  }
  std::optional<GridCell> Cell() {
    const std::optional<int64_t> row = Number();
    if (!row || !Skip('.')) return std::nullopt;
    const std::optional<int64_t> col = Number();
    if (!col) return std::nullopt;
    return GridCell{*row, *col};
  }

 private:
  std::string_view rest_;
};

// Nothing if the text is no spot.
std::optional<Spot> SpotOf(const std::string& text) {
  Spot spot;
  SpotReader reader(text);
  if (text.find('~') < text.find_first_of(".@")) {
    const std::optional<int64_t> frame = reader.Number();
    if (!frame || !reader.Skip('~')) return std::nullopt;
    spot.frame = *frame;
  }
  const std::optional<GridCell> cell = reader.Cell();
  if (!cell) return std::nullopt;
  spot.cell = *cell;
  if (reader.Skip('@')) {
    spot.token = reader.rest();
    if (spot.token.empty() || spot.token.size() > kLongestTokenName) return std::nullopt;
    return spot;
  }
  if (reader.Skip('-')) {
    const std::optional<GridCell> to = reader.Cell();
    if (!to) return std::nullopt;
    const auto [top, bottom] = std::minmax(cell->row, to->row);
    const auto [left, right] = std::minmax(cell->col, to->col);
    spot.cell = {top, left};
    if (top != bottom || left != right) spot.to = GridCell{bottom, right};
  }
  while (!spot.to && reader.Skip('+')) {
    const std::optional<GridCell> more = reader.Cell();
    if (!more) return std::nullopt;
    spot.more.push_back(*more);
  }
  return reader.done() ? std::optional(spot) : std::nullopt;
}

// Where the spots of a list begin: at a "_" that is followed by digits and "." or "~".
std::vector<std::string> SplitSpots(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at = text.find('_'); at != std::string::npos; at = text.find('_', at + 1)) {
    size_t end = at + 1;
    while (end < text.size() && IsDigit(text[end])) ++end;
    if (end == at + 1 || end == text.size() || (text[end] != '.' && text[end] != '~')) continue;
    parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::string CellText(const GridCell& cell) { return fmt::format("{}.{}", cell.row, cell.col); }

std::string Spaced(std::string token) {
  std::replace(token.begin(), token.end(), '_', ' ');
  return token;
}

}  // namespace

Spot ParseSpot(const std::string& text, const std::string& field) {
  std::optional<Spot> spot = SpotOf(text);
  if (!spot) {
    throw RequestError(RequestError::Kind::kMalformed, field,
                       fmt::format("'{}' is no query", Printable(text)),
                       "Write 12.18 for the patch in row 12 and column 18, 12.18-14.20 for a "
                       "rectangle, 12.18+3.4 for a set, 12.18@camera for a special token, and 2~ "
                       "before any of them for frame 2.");
  }
  if (spot->more.size() >= kMostSpotCells) {
    throw RequestError(RequestError::Kind::kMalformed, field,
                       fmt::format("a set of {} patches, at most {} can be asked for",
                                   spot->more.size() + 1, kMostSpotCells));
  }
  for (size_t i = 0; i < spot->more.size(); ++i) {
    const auto before = spot->more.begin() + static_cast<std::ptrdiff_t>(i);
    if (spot->more[i] == spot->cell || std::find(spot->more.begin(), before, *before) != before) {
      throw RequestError(RequestError::Kind::kMalformed, field,
                         fmt::format("{} is named twice in a set", CellText(*before)));
    }
  }
  return std::move(*spot);
}

std::vector<Spot> ParseSpots(const std::string& text, const std::string& field) {
  const std::vector<std::string> parts = SplitSpots(text);
  if (parts.size() > kMostSpots) {
    throw RequestError(
        RequestError::Kind::kMalformed, field,
        fmt::format("{} queries, at most {} can be compared", parts.size(), kMostSpots));
  }
  std::vector<Spot> spots;
  for (const std::string& part : parts) spots.push_back(ParseSpot(part, field));
  return spots;
}

std::string FormatSpot(const Spot& spot) {
  std::string text = spot.frame > 0 ? fmt::format("{}~", spot.frame) : "";
  text += CellText(spot.cell);
  if (!spot.token.empty()) return text + '@' + spot.token;
  if (spot.to) text += '-' + CellText(*spot.to);
  for (const GridCell& cell : spot.more) text += '+' + CellText(cell);
  return text;
}

std::string FormatSpots(const std::vector<Spot>& spots) {
  std::string text;
  for (const Spot& spot : spots) {
    if (!text.empty()) text += '_';
    text += FormatSpot(spot);
  }
  return text;
}

std::string SpotName(const Spot& spot) {
  const auto [row, col] = spot.cell;
  if (!spot.token.empty()) {
    return fmt::format("{} token of frame {}", Printable(Spaced(spot.token)), spot.frame);
  }
  const std::string frame = spot.frame > 0 ? fmt::format(" of frame {}", spot.frame) : "";
  if (spot.to) {
    return fmt::format("patches ({}, {}) – ({}, {}){}", row, col, spot.to->row, spot.to->col,
                       frame);
  }
  if (!spot.more.empty()) return fmt::format("{} patches{}", spot.more.size() + 1, frame);
  return fmt::format("patch ({}, {}){}", row, col, frame);
}

std::string SpotStem(const Spot& spot) {
  const auto [row, col] = spot.cell;
  if (!spot.token.empty()) return fmt::format("frame{}_{}", spot.frame, spot.token);
  const std::string frame = spot.frame > 0 ? fmt::format("frame{}_", spot.frame) : "";
  if (spot.to) {
    return fmt::format("{}rows{}-{}_cols{}-{}", frame, row, spot.to->row, col, spot.to->col);
  }
  const std::string more = spot.more.empty() ? "" : fmt::format("_and{}", spot.more.size());
  return fmt::format("{}row{}_col{}{}", frame, row, col, more);
}

}  // namespace vggt
