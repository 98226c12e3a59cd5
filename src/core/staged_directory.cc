// SPDX-License-Identifier: Apache-2.0
#include "core/staged_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/error.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

void Rename(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) != 0) ThrowSystemError(errno, "cannot create", to.string());
}

}  // namespace

StagedDirectory::StagedDirectory(const fs::path& path, bool overwrite)
    : given_(path), path_(fs::absolute(path).lexically_normal()) {
  if (!path_.has_filename()) path_ = path_.parent_path();
  if (!path_.has_filename()) throw Error("is not a folder that can be written", path.string());
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(path_, ignored)) && !overwrite) {
    throw Error("exists already", path.string(),
                "Use --overwrite to replace it, or choose another name.");
  }
  if (fs::exists(path_, ignored) && !fs::is_directory(path_, ignored)) {
    throw Error("is a file; a folder is to be written there", path.string());
  }
  const fs::path parent = path_.parent_path();
  for (fs::path p = parent; !fs::exists(p, ignored) && p.has_relative_path(); p = p.parent_path()) {
    first_created_parent_ = p;
  }
  std::error_code failed;
  fs::create_directories(parent, failed);
  std::string name = (parent / ("." + path_.filename().string() + ".partial-XXXXXX")).string();
  if (failed || mkdtemp(name.data()) == nullptr) {
    const int reason = failed ? failed.value() : errno;
    RemoveCreatedParents();
    ThrowSystemError(reason, "cannot create this folder", path.string());
  }
  staging_ = name;
}

StagedDirectory::~StagedDirectory() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  RemoveCreatedParents();
}

// Only those that are empty: somebody else may have put something there meanwhile.
void StagedDirectory::RemoveCreatedParents() const {
  if (first_created_parent_.empty()) return;
  for (fs::path p = path_.parent_path();; p = p.parent_path()) {
    rmdir(p.c_str());
    if (p == first_created_parent_) break;
  }
}

Error StagedDirectory::AtFinalPlace(const Error& error) const {
  const std::string& where = error.where();
  if (!where.starts_with(staging_.string())) return error;
  return Error(error.problem(), given_.string() + where.substr(staging_.string().size()),
               error.hint());
}

void StagedDirectory::Commit() {
  // mkdtemp makes the folder private; give it the permissions that a plain creation would.
  const mode_t mask = umask(0);
  umask(mask);
  if (chmod(staging_.c_str(), 0777 & ~mask) != 0) {
    ThrowSystemError(errno, "cannot create", path_.string());
  }
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(path_, ignored))) {
    Rename(staging_, path_);
    committed_ = true;
    return;
  }
  const fs::path old = staging_.string() + ".old";
  Rename(path_, old);
  try {
    Rename(staging_, path_);
  } catch (...) {
    rename(old.c_str(), path_.c_str());
    throw;
  }
  committed_ = true;
  fs::remove_all(old, ignored);
}

}  // namespace vggt
