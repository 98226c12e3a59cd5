// SPDX-License-Identifier: Apache-2.0
// The pictures of an export, as they are stored.
#pragma once

#include <filesystem>

#include "server/message.h"

namespace vggt {

// Answers with the file's bytes, the content type that they show, and an ETag; with 304 and no body
// if `if_none_match` lists that ETag. Throws MissingFile, Error if the file cannot be read, or
// Refusal (422) if it is not a PNG, JPEG or WebP or if it is larger than 256 MiB.
Response PictureResponse(const std::filesystem::path& path, const std::string& if_none_match);

// Whether the header If-None-Match lists `etag`.
bool EtagMatches(const std::string& if_none_match, const std::string& etag);

}  // namespace vggt
