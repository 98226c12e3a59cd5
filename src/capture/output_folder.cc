// SPDX-License-Identifier: Apache-2.0
#include "capture/output_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "store/export/export_files.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// Which files of the output may go when it is replaced.
std::set<fs::path> FilesToReplace(const fs::path& output) {
  try {
    return ListExportFiles(output);
  } catch (const Error& error) {
    throw Error(error.problem() + "; it is not replaced", error.where(),
                "Move it away, or choose another `output`.");
  }
}

void CheckFree(const fs::path& output) {
  std::error_code unknown;
  if (!fs::exists(fs::symlink_status(output, unknown))) return;
  try {
    ListExportFiles(output);
  } catch (const Error&) {
    throw Error("exists already, and is no export", output.string(), "Choose another `output`.");
  }
  throw Error("exists already", output.string(),
              "Use `overwrite` to replace it, or choose another `output`.");
}

// That the output may be replaced and holds nothing that is read.
void CheckReplaceable(const fs::path& output, const std::vector<fs::path>& read) {
  std::error_code ignored;
  if (!fs::is_directory(output, ignored)) return;
  FilesToReplace(output);
  const fs::path replaced = fs::canonical(output, ignored);
  for (const fs::path& place : read) {
    const fs::path source = fs::canonical(place, ignored);
    const auto parts =
        std::mismatch(replaced.begin(), replaced.end(), source.begin(), source.end());
    if (parts.first == replaced.end()) {
      throw Error("holds the pictures that are read; it is not replaced", output.string(),
                  "Choose another `output`.");
    }
  }
}

const fs::path& Checked(const fs::path& output, bool overwrite, const std::vector<fs::path>& read) {
  if (output.empty()) throw Error("no `output` is given");
  if (overwrite) {
    CheckReplaceable(output, read);
  } else {
    CheckFree(output);
  }
  return output;
}

std::string KeptText(const fs::path& output, const std::vector<fs::path>& kept) {
  constexpr size_t kMostNamed = 5;
  std::string names;
  for (size_t i = 0; i < std::min(kept.size(), kMostNamed); ++i) {
    names += (i == 0 ? "" : ", ") + PrintableText(kept[i].string());
  }
  if (kept.size() > kMostNamed) names += fmt::format(" and {} more", kept.size() - kMostNamed);
  return fmt::format("kept in {}, as no export wrote it: {}", PrintableText(output.string()),
                     names);
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& path, bool overwrite, const std::vector<fs::path>& read)
    : path_(Checked(path, overwrite, read)),
      staged_(path, overwrite ? ListOwnFiles(FilesToReplace) : nullptr) {}

void OutputFolder::Rethrow(const Error& error) const {
  const Error at_final_place = staged_.AtFinalPlace(error);
  if (at_final_place.where() != error.where()) throw at_final_place;
  throw;  // whatever it is derived from Error
}

std::string OutputFolder::Commit() {
  const std::vector<fs::path> kept = staged_.Commit();
  return kept.empty() ? "" : KeptText(path_, kept);
}

}  // namespace vggt
