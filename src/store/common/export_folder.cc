// SPDX-License-Identifier: Apache-2.0
#include "store/common/export_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/error.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool IsFile(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// Where the file that `written` names may lie, the likeliest place first.
std::vector<fs::path> Candidates(const fs::path& folder, const std::string& written) {
  const fs::path path(written);
  fs::path tail;
  for (const fs::path& part : path) {
    if (part == kMapsFolderName) {
      tail.clear();
    } else {
      tail /= part;
    }
  }
  return {folder / path, folder / tail.relative_path(),
          folder / path.parent_path().filename() / path.filename(), folder / path.filename()};
}

// The first candidate that is a file inside the root. Throws OutsideRoot if one lies outside, and
// MissingFile if there is none.
fs::path Resolve(const std::vector<fs::path>& candidates, const fs::path& root,
                 const std::string& written, const std::string& source) {
  std::optional<OutsideRoot> outside;
  // The system would read the name only up to the NUL.
  const bool readable = written.find('\0') == std::string::npos;
  for (const fs::path& candidate : candidates) {
    if (!readable || !IsFile(candidate)) continue;
    try {
      CheckInside(candidate, root);
      return candidate;
    } catch (const OutsideRoot& e) {
      outside = e;
    }
  }
  if (outside) throw OutsideRoot(*outside);
  throw MissingFile(fmt::format("names the file '{}', which is missing or not a regular file",
                                Printable(written, 200)),
                    source, "Copy the export whole, or export again.");
}

}  // namespace

bool IsLayerMetadata(const fs::path& path) {
  return path.filename().string().ends_with(kMetadataSuffix);
}

std::string LayerName(int64_t index) { return fmt::format("layer_{:02}", index + 1); }

fs::path FindFile(const fs::path& folder, const std::string& written, const fs::path& root,
                  const std::string& source) {
  return Resolve(Candidates(folder, written), root, written, source);
}

fs::path FindImage(const fs::path& folder, const std::string& written, const fs::path& root) {
  std::vector<fs::path> candidates = Candidates(folder, written);
  candidates.push_back(folder / ".." / kImagesFolderName / fs::path(written).filename());
  const fs::path found = Resolve(candidates, root, written, folder.string());
  // If the folder is a link, what stands beside it by name is another place than "..".
  const fs::path plain = found.lexically_normal();
  std::error_code ignored;
  return fs::equivalent(plain, found, ignored) ? plain : found;
}

std::vector<std::string> ImageNames(const std::vector<std::string>& extensions) {
  const int digits = extensions.size() > 99 ? 3 : 2;
  std::vector<std::string> names;
  for (const std::string& extension : extensions) {
    names.push_back(fmt::format("../{}/frame_{:0{}}{}", kImagesFolderName, names.size(), digits,
                                Lower(extension)));
  }
  return names;
}

void CreateDirectory(const fs::path& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) ThrowSystemError(failed.value(), "cannot create", path.string());
}

void WriteImage(const fs::path& folder, const std::string& name, Bytes file) {
  const fs::path path = (folder / kMapsFolderName / name).lexically_normal();
  CreateDirectory(path.parent_path());
  WriteFileAtomic(path, file, {.sync = Sync::kLater});
}

uint64_t FolderBytes(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code vanished;
    if (it->is_regular_file(vanished)) bytes += it->file_size(vanished);
  }
  if (failed) ThrowSystemError(failed.value(), "cannot list", folder.string());
  return bytes;
}

}  // namespace vggt
