// SPDX-License-Identifier: Apache-2.0
// A folder that appears under its name only when it is complete, and what is left of those whose
// process was killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"

namespace vggt {

// Tells which files of a folder may be deleted when another takes its place: their paths, relative
// to it. All others are somebody's and are kept. Throws Error if it cannot tell.
using ListOwnFiles = std::function<std::set<std::filesystem::path>(const std::filesystem::path&)>;

// Everything is written to a hidden folder beside the final one, ".NAME.partial-XXXXXX", which this
// process keeps locked; Commit() renames it into place. Destroyed without Commit() (error, Ctrl-C):
// the hidden folder is removed and nothing has changed. Killed (SIGKILL, power cut): the old folder
// or the whole new one stands under the name; RecoverAbandoned() does away with the rest.
class StagedDirectory {
 public:
  // With `own_files`, a folder that exists is replaced; it throws here, too, if it cannot tell.
  // Otherwise nothing that exists is ever replaced. A link to a folder is followed. Throws Error,
  // before anything is written, if `path` exists and may not be replaced, or if it cannot be
  // created. Missing parents are created; those made for a run that fails are removed.
  explicit StagedDirectory(const std::filesystem::path& path, ListOwnFiles own_files = nullptr);
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;
  ~StagedDirectory();

  // Where to write until Commit().
  const std::filesystem::path& staging() const { return staging_; }

  // `error`, naming the final place of a file if it names one in staging().
  Error AtFinalPlace(const Error& error) const;

  // Gives the folder its name, its data on the disk first. What stood there goes, in one step where
  // the file system can exchange names (renameat2); files in it that are not its own are moved into
  // the new folder, and returned as paths below it. Throws Error if something may not be replaced
  // that was not there at first: the folder is then kept under a free name, which the error tells.
  // Throws Error, too, if such files cannot be moved: the new folder stands, and the error says
  // where they are.
  std::vector<std::filesystem::path> Commit();

 private:
  void RemoveCreatedParents() const;
  [[noreturn]] void KeepUnderFreeName(const std::string& problem);

  std::filesystem::path given_, path_, container_, staging_, first_created_parent_;
  ListOwnFiles own_files_;
  int lock_ = -1;
  bool committed_ = false;
};

// What RecoverAbandoned() did in one folder.
struct Recovery {
  std::vector<std::filesystem::path> removed;   // hidden folders
  uint64_t removed_bytes = 0;                   // of the files in them
  std::vector<std::filesystem::path> restored;  // folders that were given their names again
  // Hidden folders with files of somebody's that could not be moved into the new export, and why.
  struct Stranded {
    std::filesystem::path folder;
    std::string problem;
  };
  std::vector<Stranded> stranded;
  // Hidden folders with such a name that cannot be told to be anybody's: not locked, not marked
  // (version 0.1 wrote such). They are left alone.
  std::vector<std::filesystem::path> unknown;

  bool empty() const {
    return removed.empty() && restored.empty() && stranded.empty() && unknown.empty();
  }
};

// Looks in `folder` for the hidden folders of processes that have ended, which the kernel tells by
// their locks, and removes them; those of running ones stay. One that was killed while it replaced
// an export is brought to its end first. Does nothing where it may not write. Throws nothing.
Recovery RecoverAbandoned(const std::filesystem::path& folder);

}  // namespace vggt
