// SPDX-License-Identifier: Apache-2.0
#include "capture/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/staged_directory.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

std::string Names(const std::vector<fs::path>& paths) {
  constexpr size_t kMostNamed = 3;
  std::string names;
  for (size_t i = 0; i < std::min(paths.size(), kMostNamed); ++i) {
    names += (i == 0 ? "" : ", ") + PrintableText(paths[i].lexically_normal().string());
  }
  return paths.size() <= kMostNamed
             ? names
             : fmt::format("{} and {} more", names, paths.size() - kMostNamed);
}

void Append(const std::vector<fs::path>& more, std::vector<fs::path>& to) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

std::string RecoverExports(const fs::path& path) {
  std::error_code unknown;
  fs::path whole = fs::absolute(path, unknown).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  Recovery all;
  for (const fs::path& folder : {whole.parent_path(), whole}) {
    const Recovery found = RecoverAbandoned(folder);
    Append(found.removed, all.removed);
    Append(found.restored, all.restored);
    Append(found.unknown, all.unknown);
    all.stranded.insert(all.stranded.end(), found.stranded.begin(), found.stranded.end());
    all.removed_bytes += found.removed_bytes;
  }
  std::string text;
  const auto say = [&](const std::string& sentence) {
    text += (text.empty() ? "" : "; ") + sentence;
  };
  if (!all.removed.empty()) {
    say(fmt::format("removed what killed commands had left: {} ({})", Names(all.removed),
                    HumanBytes(static_cast<double>(all.removed_bytes))));
  }
  if (!all.restored.empty()) {
    say("finished an export that was killed while it was put in place: " + Names(all.restored));
  }
  for (const Recovery::Stranded& stranded : all.stranded) {
    say(fmt::format(
        "{} holds files of yours that could not be moved into the new export ({}); move "
        "them from there",
        PrintableText(stranded.folder.lexically_normal().string()),
        PrintableText(stranded.problem)));
  }
  if (!all.unknown.empty()) {
    say("left alone, as nothing tells whether somebody still uses it: " + Names(all.unknown) +
        " (look into it before you delete it)");
  }
  return text;
}

}  // namespace vggt
