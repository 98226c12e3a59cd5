// SPDX-License-Identifier: Apache-2.0
#include "figure/frame_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>

namespace vggt {
namespace {

// Letters as UTF-8: a name is cut between them alone.
using Letters = std::vector<std::string>;

Letters LettersOf(const std::string& text) {
  Letters letters;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
    letters.push_back(text.substr(i, end - i));
    i = end;
  }
  return letters;
}

size_t Length(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string Join(Letters::const_iterator begin, Letters::const_iterator end) {
  std::string text;
  for (; begin != end; ++begin) text += *begin;
  return text;
}

std::string TimeOf(const PictureSource& source) {
  return fmt::format("{:.2f} s", source.seconds.value_or(0));
}

// How many letters all names begin with, and end with.
struct Shared {
  size_t before = 0, after = 0;
};

// Leaves at least one letter of each name, if it has any.
Shared SharedBy(const std::vector<Letters>& names) {
  if (names.size() < 2) return {};
  const Letters& first = names.front();
  size_t shortest = first.size();
  for (const Letters& name : names) shortest = std::min(shortest, name.size());
  const auto all = [&](const auto& same) { return std::all_of(names.begin(), names.end(), same); };
  size_t before = 0, after = 0;
  while (before < shortest &&
         all([&](const Letters& name) { return name[before] == first[before]; })) {
    ++before;
  }
  if (before == shortest && before > 0) --before;
  while (after < shortest - before && all([&](const Letters& name) {
           return name[name.size() - 1 - after] == first[first.size() - 1 - after];
         })) {
    ++after;
  }
  if (before + after == shortest && after > 0) --(before > 0 ? before : after);
  return {before, after};
}

// Letters and digits. Beyond ASCII nearly all that stands in names of files is a letter.
bool InWord(const std::string& letter) {
  return letter.size() > 1 || std::isalnum(static_cast<unsigned char>(letter.front())) != 0;
}

// Less is shared, so that words and numbers stay whole: "12345670", though only the last digit
// differs.
Shared ToWords(const Letters& name, Shared shared) {
  while (shared.before > 0 && InWord(name[shared.before - 1])) --shared.before;
  while (shared.after > 0 && InWord(name[name.size() - shared.after])) --shared.after;
  // One letter is no longer than the sign that would stand for it.
  return {shared.before == 1 ? 0 : shared.before, shared.after == 1 ? 0 : shared.after};
}

std::string Without(const Letters& name, const Shared& shared) {
  const std::string differs = Join(name.begin() + static_cast<std::ptrdiff_t>(shared.before),
                                   name.end() - static_cast<std::ptrdiff_t>(shared.after));
  return (shared.before > 0 ? "…" : "") + differs + (shared.after > 0 ? "…" : "");
}

// `most` letters, one of them "…", and a share `head` of the others from the beginning.
std::string Cut(const Letters& name, double head, size_t most) {
  const size_t count = std::min(std::max<size_t>(most, 1), std::max<size_t>(name.size(), 1)) - 1;
  const auto first = static_cast<size_t>(std::ceil(static_cast<double>(count) * head));
  return Join(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(first)) + "…" +
         Join(name.end() - static_cast<std::ptrdiff_t>(count - first), name.end());
}

bool IsKnown(const PictureSource& source) { return !source.file.empty(); }

// One way of shortening: of names that still do not fit, a share `head` is kept of the beginning.
std::vector<std::string> Shorten(const std::vector<PictureSource>& sources, size_t most,
                                 const std::map<std::string, Letters>& split, const Shared& shared,
                                 const Shared& words, double head) {
  std::vector<std::string> names;
  for (const PictureSource& source : sources) {
    if (!IsKnown(source)) {
      names.emplace_back();
      continue;
    }
    const Letters& name = split.at(source.file);
    const std::string time = source.seconds ? " " + TimeOf(source) : "";
    const size_t room = most > Length(time) ? most - Length(time) : 0;
    std::string part = Without(name, words);
    if (Length(part) > room) part = Without(name, shared);
    if (Length(part) > room) {
      const Letters differs(name.begin() + static_cast<std::ptrdiff_t>(shared.before),
                            name.end() - static_cast<std::ptrdiff_t>(shared.after));
      part = Cut(differs, head, room);
    }
    names.push_back(part + time);
  }
  return names;
}

std::string Titled(int frame, const std::string& name) {
  return name.empty() ? fmt::format("frame {}", frame)
                      : fmt::format("frame {} · {}", frame, InLine(name));
}

const PictureSource* SourceOf(const FrameList& frames, int frame) {
  const auto place = static_cast<size_t>(frame);
  return place < frames.sources.size() ? &frames.sources[place] : nullptr;
}

}  // namespace

std::string SourceName(const PictureSource& source) {
  return source.seconds ? source.file + " " + TimeOf(source) : source.file;
}

std::vector<std::string> ShortNames(const std::vector<PictureSource>& sources, size_t most) {
  std::map<std::string, Letters> split;
  std::set<std::string> different;
  bool of_videos = true, all_fit = true;
  for (const PictureSource& source : sources) {
    if (!IsKnown(source)) continue;
    split.emplace(source.file, LettersOf(source.file));
    different.insert(SourceName(source));
    of_videos = of_videos && source.seconds;
    all_fit = all_fit && Length(SourceName(source)) <= most;
  }
  if (split.empty()) return std::vector<std::string>(sources.size());
  const auto each = [&](const std::function<std::string(const PictureSource&)>& name) {
    std::vector<std::string> names;
    for (const PictureSource& source : sources) {
      names.push_back(IsKnown(source) ? name(source) : "");
    }
    return names;
  };
  if (split.size() == 1 && of_videos) return each(TimeOf);
  if (all_fit) return each(SourceName);

  std::vector<Letters> files;
  for (const auto& [file, letters] : split) files.push_back(letters);
  const Shared shared = SharedBy(files);
  const Shared words = ToWords(files.front(), shared);
  std::vector<std::string> balanced;
  for (const double head : {0.5, 0.0, 1.0, 0.25, 0.75}) {
    std::vector<std::string> names = Shorten(sources, most, split, shared, words, head);
    std::set<std::string> distinct(names.begin(), names.end());
    distinct.erase("");
    if (distinct.size() == different.size()) return names;
    if (balanced.empty()) balanced = std::move(names);
  }
  return balanced;
}

std::string FrameTitle(const FrameList& frames, int frame) {
  const PictureSource* source = SourceOf(frames, frame);
  return Titled(frame, source == nullptr ? "" : SourceName(*source));
}

std::string FrameLabel(const FrameList& frames, int frame, size_t most) {
  const std::vector<std::string> names = ShortNames(frames.sources, most);
  return Titled(frame, SourceOf(frames, frame) == nullptr ? "" : names[static_cast<size_t>(frame)]);
}

std::string FrameLabelAlone(const FrameList& frames, int frame, size_t most) {
  const PictureSource* source = SourceOf(frames, frame);
  if (source != nullptr && Length(SourceName(*source)) <= most) return FrameTitle(frames, frame);
  return FrameLabel(frames, frame, most);
}

std::string InLine(const std::string& name) {
  for (const std::string& letter : LettersOf(name)) {
    if (letter.size() < 2) continue;
    // The first 2 bytes tell the scripts from Hebrew to Arabic Extended (U+0590 … U+08FF), and
    // their presentation forms (U+FB1D … U+FDFF, U+FE70 … U+FEFF).
    const auto first = static_cast<unsigned char>(letter[0]);
    const auto second = static_cast<unsigned char>(letter[1]);
    const bool right_to_left = (first >= 0xD6 && first <= 0xDF) ||
                               (first == 0xE0 && second <= 0xA3) ||
                               (first == 0xEF && second >= 0xAC && second <= 0xBB);
    if (right_to_left) return "\u2068" + name + "\u2069";
  }
  return name;
}

}  // namespace vggt
