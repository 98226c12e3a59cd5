// SPDX-License-Identifier: Apache-2.0
#include "server/assets.h"

#include <gmock/gmock.h>

#include <set>
#include <string>

namespace vggt {
namespace {

using ::testing::HasSubstr;

TEST(Assets, ThePageAndWhatItNames) {
  const Asset* page = FindAsset("/");
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(page, FindAsset("/index.html"));
  EXPECT_EQ(page->content_type, "text/html; charset=utf-8");
  const std::string html(page->bytes.begin(), page->bytes.end());
  EXPECT_THAT(html, HasSubstr("\"app.js\""));  // relative: a proxy may add a path
  ASSERT_NE(FindAsset("/app.js"), nullptr);
  EXPECT_EQ(FindAsset("/app.js")->content_type, "text/javascript; charset=utf-8");
  ASSERT_NE(FindAsset("/app.css"), nullptr);
  EXPECT_EQ(FindAsset("/app.css")->content_type, "text/css; charset=utf-8");
}

TEST(Assets, EachHasBytesAndAnEtagOfItsOwn) {
  std::set<std::string_view> etags;
  for (const Asset& asset : AllAssets()) {
    EXPECT_FALSE(asset.bytes.empty()) << asset.path;
    EXPECT_EQ(asset.etag.size(), 34U) << asset.path;
    EXPECT_EQ(asset.etag.front(), '"');
    EXPECT_EQ(asset.etag.back(), '"');
    EXPECT_TRUE(etags.insert(asset.etag).second) << asset.path;
  }
}

TEST(Assets, NothingElse) {
  for (const char* path : {"", "app.js", "//", "/../app.js", "/app.js/", "/APP.JS", "/none"}) {
    EXPECT_EQ(FindAsset(path), nullptr) << path;
  }
}

}  // namespace
}  // namespace vggt
