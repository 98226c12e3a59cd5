// SPDX-License-Identifier: Apache-2.0
// A folder that appears under its name only when it is complete, and the cleaning up after
// processes that were killed while they wrote one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"

namespace vggt {

// Lists the files of a folder that may be deleted when the folder is replaced, as paths relative to
// it. All other files belong to the user and are kept. Throws Error if it cannot tell.
using ListOwnFiles = std::function<std::set<std::filesystem::path>(const std::filesystem::path&)>;

// Everything is written to a hidden folder beside the final one, ".NAME.partial-XXXXXX", which this
// process keeps locked. Commit() gives it the final name. If the object is destroyed without
// Commit() (error, Ctrl-C), the hidden folder is removed and nothing has changed. If the process is
// killed (SIGKILL, power cut), the name stands for the old folder or for the whole new one, and
// RecoverAbandoned() removes what is left over.
class StagedDirectory {
 public:
  // With `own_files`, an existing folder at `path` is replaced by Commit(); `own_files` is called
  // here already, so that what it throws is thrown before anything is written. Without it nothing
  // that exists is ever replaced. A link to a folder is followed. Throws Error, before anything is
  // written, if `path` exists and may not be replaced, or if it cannot be created. Missing parents
  // are created, and removed again if the folder is not completed.
  explicit StagedDirectory(const std::filesystem::path& path, ListOwnFiles own_files = nullptr);
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;
  ~StagedDirectory();

  // Where to write until Commit().
  const std::filesystem::path& staging() const { return staging_; }

  // A copy of `error`. If it names a file in staging(), the copy names the file's final place.
  Error AtFinalPlace(const Error& error) const;

  // Writes all data to the disk and then gives the folder its final name. It replaces an old folder
  // in one step where the file system can exchange two names (renameat2). Files of the old folder
  // that are not its own are moved into the new one; their paths, relative to the new folder, are
  // returned.
  // Throws Error if something has appeared at the final name meanwhile that may not be replaced:
  // the new folder then gets a free name, which the error tells. Throws Error, too, if a file
  // cannot be moved out of the old folder: the new folder has its name then, and the error says
  // where the file is.
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
  uint64_t removed_bytes = 0;                   // the size of the files in them
  std::vector<std::filesystem::path> restored;  // complete folders that got their final names
  // Hidden folders that hold files of the user which could not be moved into the new folder.
  struct Stranded {
    std::filesystem::path folder;
    std::string problem;  // why
  };
  std::vector<Stranded> stranded;
  // Hidden folders with a name of this kind but without this program's lock file. They may be
  // another program's, or of version 0.1 of this one, and are left alone.
  std::vector<std::filesystem::path> unknown;

  bool empty() const {
    return removed.empty() && restored.empty() && stranded.empty() && unknown.empty();
  }
};

// Removes the hidden folders in `folder` whose processes have ended: their locks are free. Those of
// running processes stay. If a process was killed while it replaced a folder, the replacement is
// completed first. Does nothing if this process may not write to `folder`. Throws nothing.
Recovery RecoverAbandoned(const std::filesystem::path& folder);

}  // namespace vggt
