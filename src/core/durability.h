// SPDX-License-Identifier: Apache-2.0
// What a file system has to be told so that a name never stands for half of a file or folder:
// renames that replace nothing, renames that exchange two names, and writing data to the disk
// before their name.
#pragma once

#include <filesystem>

namespace vggt {

// Renames the file or folder `from` to `to`, on the same file system, and returns true. If `to`
// exists, it returns false and nothing has changed. File systems without renameat2 cannot do that
// in one step: there an empty folder `to` may be replaced, and a file is linked to its new name
// before the old name is removed. If a killed process left a file with both names, `from` is
// removed. Throws Error for every other failure.
bool RenameWithoutReplacing(const std::filesystem::path& from, const std::filesystem::path& to);

// Exchanges two names in one step, so that neither is ever missing, and returns true. Returns
// false, with nothing changed, if this file system or kernel cannot do that. Throws Error for every
// other failure.
bool ExchangeNames(const std::filesystem::path& a, const std::filesystem::path& b);

// Returns when the data of the open file `fd` are on the disk (fsync). Returns at once on file
// systems that do not offer this. Throws Error naming `path` if the data could not be written.
void SyncToDisk(int fd, const std::filesystem::path& path);
// The same for the file or folder `path`; a folder's data are the names in it.
void SyncToDisk(const std::filesystem::path& path);
// The same for `folder` and all files and folders below it. Links are not followed.
void SyncTreeToDisk(const std::filesystem::path& folder);

}  // namespace vggt
