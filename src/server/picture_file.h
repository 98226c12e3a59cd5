// SPDX-License-Identifier: Apache-2.0
// The pictures of an export, as they are stored.
#pragma once

#include <filesystem>

#include "server/message.h"

namespace vggt {

// The file's bytes, its type read off them, and an ETag; 304 without a body if `if_none_match` is
// that. Throws Refusal: 404 if it is not there, 422 if it is no PNG, JPEG or WebP or larger than
// 256 MiB.
Response PictureResponse(const std::filesystem::path& path, const std::string& if_none_match);

// Whether the header If-None-Match lists `etag`.
bool EtagMatches(const std::string& if_none_match, const std::string& etag);

}  // namespace vggt
