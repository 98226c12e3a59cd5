// SPDX-License-Identifier: Apache-2.0
// The folder that a job writes: what must not be there, what is replaced, and what is kept.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/staged_directory.h"

namespace vggt {

// Everything is written below staging(), beside the final place; Commit() puts it there. Destroyed
// without Commit(), it leaves everything as it was (core/staged_directory.h).
class OutputFolder {
 public:
  // Without `overwrite` nothing may stand at `path`. With it the files of an export that stands
  // there are replaced, and all others in its folder are kept. Throws Error, before anything is
  // written, if it is not empty and no export, if it holds one of the files and folders `read`, or
  // if it cannot be created.
  OutputFolder(const std::filesystem::path& path, bool overwrite,
               const std::vector<std::filesystem::path>& read);

  const std::filesystem::path& staging() const { return staged_.staging(); }

  // Throws the error that is being handled again. `error` is that one: if it names a file below
  // staging(), what is thrown names the file's final place.
  [[noreturn]] void Rethrow(const Error& error) const;

  // Puts the folder in its place. Returns a line about the files in it that no export wrote and
  // that were kept; "" if there are none. Throws Error as StagedDirectory does.
  std::string Commit();

 private:
  std::filesystem::path path_;
  StagedDirectory staged_;
};

}  // namespace vggt
