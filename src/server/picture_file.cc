// SPDX-License-Identifier: Apache-2.0
#include "server/picture_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vggt {
namespace {

constexpr off_t kMostBytes = off_t{256} << 20;

class OpenFile {
 public:
  // Without waiting: a pipe's other end may never come.
  explicit OpenFile(const std::filesystem::path& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string ContentTypeOf(const std::string& bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
  return "";
}

// A file may become shorter meanwhile: then so does what is returned.
std::string ReadAll(int fd, size_t size) {
  std::string bytes(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t n = pread(fd, bytes.data() + have, size - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace

bool EtagMatches(const std::string& if_none_match, const std::string& etag) {
  return if_none_match == "*" || if_none_match.find(etag) != std::string::npos;
}

Response PictureResponse(const std::filesystem::path& path, const std::string& if_none_match) {
  const OpenFile file(path);
  struct stat status = {};
  if (file.fd() < 0 || fstat(file.fd(), &status) != 0) {
    throw Refusal(404, "the picture cannot be opened", path.string());
  }
  if (!S_ISREG(status.st_mode)) throw Refusal(422, "is no file", path.string());
  if (status.st_size > kMostBytes) {
    throw Refusal(422,
                  fmt::format("is {} large, pictures of up to {} are shown",
                              HumanBytes(static_cast<double>(status.st_size)),
                              HumanBytes(static_cast<double>(kMostBytes))),
                  path.string());
  }
  const std::string etag = fmt::format("\"{:x}-{:x}-{:x}.{:x}\"", status.st_ino, status.st_size,
                                       status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  Response response;
  response.headers = {{"ETag", etag}, {"Cache-Control", "no-cache"}};
  if (EtagMatches(if_none_match, etag)) {
    response.status = 304;
    return response;
  }
  response.body = ReadAll(file.fd(), static_cast<size_t>(status.st_size));
  response.content_type = ContentTypeOf(response.body);
  if (response.content_type.empty()) {
    throw Refusal(422, "is no PNG, JPEG or WebP picture", path.string());
  }
  return response;
}

}  // namespace vggt
