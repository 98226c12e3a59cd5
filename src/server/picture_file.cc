// SPDX-License-Identifier: Apache-2.0
#include "server/picture_file.h"

#include <fmt/format.h>

#include "core/file.h"

namespace vggt {
namespace {

constexpr uint64_t kMostBytes = uint64_t{256} << 20;

std::string ContentTypeOf(const std::string& bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
  return "";
}

}  // namespace

bool EtagMatches(const std::string& if_none_match, const std::string& etag) {
  return if_none_match == "*" || if_none_match.find(etag) != std::string::npos;
}

Response PictureResponse(const std::filesystem::path& path, const std::string& if_none_match) {
  const File file(path);
  if (file.size() > kMostBytes) {
    throw Refusal(422,
                  fmt::format("is {} large, pictures of up to {} are shown",
                              HumanBytes(static_cast<double>(file.size())),
                              HumanBytes(static_cast<double>(kMostBytes))),
                  path.string());
  }
  const FileIdentity& id = file.identity();
  const std::string etag =
      fmt::format("\"{:x}-{:x}-{:x}.{:x}\"", id.inode, id.size, id.seconds, id.nanoseconds);
  Response response;
  response.headers = {{"ETag", etag}, {"Cache-Control", "no-cache"}};
  if (EtagMatches(if_none_match, etag)) {
    response.status = 304;
    return response;
  }
  response.body.resize(file.size());
  file.Read(0, {reinterpret_cast<uint8_t*>(response.body.data()), response.body.size()});
  response.content_type = ContentTypeOf(response.body);
  if (response.content_type.empty()) {
    throw Refusal(422, "is no PNG, JPEG or WebP picture", path.string());
  }
  return response;
}

}  // namespace vggt
