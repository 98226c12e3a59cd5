// SPDX-License-Identifier: Apache-2.0
// What has to happen on a file system so that a name never stands for half of something: renames
// that replace nothing or everything, and data on the disk before their name.
#pragma once

#include <filesystem>

namespace vggt {

// Gives the file or folder `from` the name `to`, on the same file system, unless `to` exists: then
// it returns false and nothing has changed. Where the file system cannot promise that in one step,
// an empty folder named `to` may be replaced, and a file is linked under its new name first: if
// both are names of one file already, `from` goes. Throws Error for everything else.
bool RenameWithoutReplacing(const std::filesystem::path& from, const std::filesystem::path& to);

// Exchanges two names in one step: at no time is either missing. False, with nothing changed, if
// this file system or kernel cannot do that. Throws Error for everything else.
bool ExchangeNames(const std::filesystem::path& a, const std::filesystem::path& b);

// Returns when the data of the open file `fd` are on the disk. File systems that do not offer that
// are taken as they are. Throws Error naming `path` if the data could not be written.
void SyncToDisk(int fd, const std::filesystem::path& path);
// The same of a file, or of the names in a folder.
void SyncToDisk(const std::filesystem::path& path);
// The same of all files and folders below `folder`, and of itself. Links are not followed.
void SyncTreeToDisk(const std::filesystem::path& folder);

}  // namespace vggt
