// SPDX-License-Identifier: Apache-2.0
// A folder that appears under its name only when it is complete.
#pragma once

#include <filesystem>

#include "core/error.h"

namespace vggt {

// Everything is written to a hidden folder beside the final one; Commit() renames it into place.
// Destroyed without Commit() (error, Ctrl-C): the hidden folder is removed and nothing has changed.
class StagedDirectory {
 public:
  // Throws Error, before anything is written, if `path` exists and `overwrite` is false, or if it
  // cannot be created. Missing parents are created; those made for a run that fails are removed.
  StagedDirectory(const std::filesystem::path& path, bool overwrite);
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;
  ~StagedDirectory();

  // Where to write until Commit().
  const std::filesystem::path& staging() const { return staging_; }

  // `error`, naming the final place of a file if it names one in staging().
  Error AtFinalPlace(const Error& error) const;

  // Replaces what stands under the final name, if anything, by the staged folder.
  void Commit();

 private:
  void RemoveCreatedParents() const;

  std::filesystem::path given_, path_, staging_, first_created_parent_;
  bool committed_ = false;
};

}  // namespace vggt
