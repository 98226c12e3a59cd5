// SPDX-License-Identifier: Apache-2.0
#include "server/picture_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "core/file.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::Golden;
using testing::TestDir;

// As the routes answer each kind of error.
int StatusOf(const std::filesystem::path& path) {
  try {
    return PictureResponse(path, "").status;
  } catch (const Refusal& refusal) {
    return refusal.status();
  } catch (const MissingFile&) {
    return 404;
  } catch (const Error&) {
    return 422;
  }
}

std::string EtagOf(const Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "ETag") return value;
  }
  return "";
}

TEST(PictureFile, BytesAsStoredWithTheirType) {
  for (const auto& [name, type] :
       {std::pair("codec/rgb8.png", "image/png"), std::pair("codec/420.jpg", "image/jpeg"),
        std::pair("codec/lossy.webp", "image/webp")}) {
    const Response response = PictureResponse(Golden(name), "");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type, type);
    EXPECT_EQ(response.body, ReadFile(Golden(name)));
  }
}

TEST(PictureFile, IsNotSentAgainUnlessItHasChanged) {
  const TestDir dir;
  const std::string png = ReadFile(Golden("codec/rgb8.png"));
  const auto path = dir.Write("a.png", png);
  const std::string etag = EtagOf(PictureResponse(path, ""));
  const Response again = PictureResponse(path, "\"other\", " + etag);
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(EtagOf(again), etag);
  dir.Write("a.png", png + "more");
  EXPECT_EQ(PictureResponse(path, etag).status, 200);
}

TEST(PictureFile, Refusals) {
  const TestDir dir;
  EXPECT_EQ(StatusOf(dir / "missing.png"), 404);
  EXPECT_EQ(StatusOf(dir.path()), 422);
  EXPECT_EQ(StatusOf(dir.Write("a.png", "")), 422);
  EXPECT_EQ(StatusOf(dir.Write("b.png", "<svg onload='alert(1)'/>")), 422);
  EXPECT_EQ(StatusOf(dir.Write("c.webp", "RIFF")), 422);
  ASSERT_EQ(mkfifo((dir / "pipe.png").c_str(), 0600), 0);
  EXPECT_EQ(StatusOf(dir / "pipe.png"), 422);
  const auto huge = dir.Write("huge.png", "");
  std::filesystem::resize_file(huge, uint64_t{300} << 20);
  EXPECT_EQ(StatusOf(huge), 422);
}

}  // namespace
}  // namespace vggt
