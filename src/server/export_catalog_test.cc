// SPDX-License-Identifier: Apache-2.0
#include "server/export_catalog.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "export_testing.h"
#include "formats/npy.h"
#include "server/message.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::CopyExport;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::ReplaceInFile;
using testing::TestDir;

template <typename Body>
int StatusOf(Body body) {
  try {
    body();
  } catch (const Refusal& refusal) {
    return refusal.status();
  }
  return 200;
}

TEST(ExportCatalog, OpensByAnyOfItsPaths) {
  const TestDir dir;
  const fs::path e = CopyExport(dir, "conv_per_head", "sets/a");
  ExportCatalog catalog(dir.path());
  const std::string absolute = e.string();
  for (const std::string& path :
       {std::string("sets/a"), std::string("sets/a/"), std::string("sets/../sets/a/attn_maps"),
        std::string("sets/a/attn_maps/layers_manifest.json"), absolute}) {
    const auto opened = catalog.Open(path);
    EXPECT_EQ(opened->id, "sets/a") << path;
    EXPECT_EQ(opened->path, (e / "attn_maps").string());
    EXPECT_EQ(opened->name, "conv_per_head");
    EXPECT_EQ(opened->maps.layers().size(), 3U);
    EXPECT_EQ(catalog.Get(""), opened);
    EXPECT_EQ(catalog.Get("sets/a"), opened);
  }
}

TEST(ExportCatalog, OneLayersMetadataIsAnExportOfItsOwn) {
  const TestDir dir;
  CopyExport(dir, "conv_per_head", "a");
  ExportCatalog catalog(dir.path());
  const auto opened = catalog.Open("a/attn_maps/layer_02_metadata.json");
  EXPECT_EQ(opened->id, "a/attn_maps/layer_02_metadata.json");
  EXPECT_EQ(opened->path, (dir / opened->id).string());
  EXPECT_EQ(opened->maps.layers().size(), 1U);
  EXPECT_EQ(catalog.Get("a")->maps.layers().size(), 3U);
}

TEST(ExportCatalog, TheRootMayBeTheExportOrItsMaps) {
  const TestDir dir;
  const fs::path e = CopyExport(dir, "conv_per_head", "a");
  for (const fs::path& root : {e, e / "attn_maps"}) {
    ExportCatalog catalog(root);
    EXPECT_EQ(catalog.Open(".")->id, ".");
    EXPECT_EQ(catalog.Get(".")->path, (e / "attn_maps").string());
    ASSERT_EQ(catalog.List().exports.size(), 1U);
    EXPECT_EQ(catalog.List().exports[0].id, ".");
  }
}

TEST(ExportCatalog, NothingOutsideTheRoot) {
  const TestDir dir;
  fs::create_directories(dir / "root");
  CopyExport(dir, "conv_per_head", "root/in");
  CopyExport(dir, "conv_per_head", "rooted");
  fs::create_directory_symlink("../rooted", dir / "root/link");
  fs::create_directory_symlink("in", dir / "root/alias");
  fs::create_directory_symlink("circle", dir / "root/circle");
  ExportCatalog catalog(dir / "root");
  for (const std::string& path :
       {std::string(".."), std::string("../rooted"), std::string("link"),
        std::string("in/../../rooted"), std::string("link/attn_maps/layers_manifest.json"),
        std::string("/etc"), std::string("/etc/passwd"), std::string("/no/such/thing"),
        (dir / "rooted").string(), std::string("../missing")}) {
    EXPECT_EQ(StatusOf([&] { catalog.Open(path); }), 403) << path;
    EXPECT_EQ(StatusOf([&] { catalog.Get(path); }), 403) << path;
  }
  EXPECT_EQ(catalog.Open("alias")->id, "in");
  EXPECT_EQ(StatusOf([&] { catalog.Open("missing"); }), 404);
  EXPECT_EQ(StatusOf([&] { catalog.Open("circle"); }), 404);
  EXPECT_EQ(StatusOf([&] { catalog.Open(""); }), 400);
  EXPECT_EQ(StatusOf([&] { catalog.Open(std::string("in\0", 3)); }), 400);
  EXPECT_EQ(StatusOf([&] { catalog.Open(std::string(5000, 'a')); }), 400);
  EXPECT_THAT(ErrorOf([&] { catalog.Open("../rooted"); }), HasSubstr("--root"));
}

TEST(ExportCatalog, PicturesAndArraysDoNotLeadOut) {
  const TestDir dir;
  CopyExport(dir, "conv_per_head", "outside");
  const fs::path e = CopyExport(dir, "conv_per_head", "root/in");
  fs::remove(e / "images/frame_01.png");
  fs::create_symlink("../../../outside/images/frame_01.png", e / "images/frame_01.png");
  ExportCatalog catalog(dir / "root");
  const auto opened = catalog.Open("in");
  const Export& described = opened->described;
  EXPECT_NO_THROW(described.ImagePath(0));
  EXPECT_THROW(described.ImagePath(1), OutsideRoot);
}

TEST(ExportCatalog, NothingIsOpenAtFirst) {
  const TestDir dir;
  ExportCatalog catalog(dir.path());
  EXPECT_EQ(StatusOf([&] { catalog.Get(""); }), 404);
  EXPECT_THAT(ErrorOf([&] { ExportCatalog(dir / "missing"); }), HasSubstr("is no folder"));
}

TEST(ExportCatalog, AFewStayOpenAndTheFirstOneAlways) {
  const TestDir dir;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) CopyExport(dir, "conv_average", name);
  ExportCatalog catalog(dir.path());
  const auto a = catalog.Open("a");
  const std::weak_ptr<const OpenedExport> b = catalog.Get("b");
  const std::weak_ptr<const OpenedExport> c = catalog.Get("c");
  catalog.Get("d");
  catalog.Get("b");
  EXPECT_FALSE(c.expired());
  catalog.Get("e");  // in place of c, the least recently used but for a, which was opened first
  EXPECT_TRUE(c.expired());
  EXPECT_FALSE(b.expired());
  EXPECT_EQ(catalog.Get(""), a);
  EXPECT_EQ(catalog.Get("a"), a);
}

TEST(ExportCatalog, WhoNamesNoneGetsTheFirst) {
  const TestDir dir;
  for (const char* name : {"a", "b", "c"}) CopyExport(dir, "conv_average", name);
  ExportCatalog catalog(dir.path());
  EXPECT_EQ(catalog.Latest(), nullptr);
  const auto a = catalog.Open("a");
  EXPECT_EQ(catalog.Latest(), a);
  const auto b = catalog.Open("b");
  EXPECT_EQ(catalog.Get(""), a);
  EXPECT_EQ(catalog.Latest(), b);
  catalog.Get("c");
  EXPECT_EQ(catalog.Get(""), a);
  EXPECT_EQ(catalog.Latest(), b);
  const auto afresh = catalog.Open("a");
  EXPECT_NE(afresh, a);
  EXPECT_EQ(catalog.Get(""), afresh);
}

TEST(ExportCatalog, WhatIsReplacedOnDiskIsReadAfresh) {
  const TestDir dir;
  const fs::path e = CopyExport(dir, "conv_per_head", "a");
  ExportCatalog catalog(dir.path());
  const auto before = catalog.Open("a");
  ReplaceInFile(e / "attn_maps/layers_manifest.json", "conv_per_head", "renamed");
  const auto after = catalog.Get("a");
  EXPECT_EQ(after->name, "renamed");
  EXPECT_NE(after->version, before->version);
  EXPECT_EQ(catalog.Get("a"), after);
  EXPECT_EQ(before->name, "conv_per_head");
  EXPECT_NE(catalog.Open("a"), after);
  // What has gone is answered from what is open.
  const auto open = catalog.Get("a");
  fs::remove_all(e);
  EXPECT_EQ(catalog.Get("a"), open);
}

TEST(ExportCatalog, ListsWhatLiesBelow) {
  const TestDir dir;
  CopyExport(dir, "conv_per_head", "b");
  CopyExport(dir, "conv_average", "sets/a");
  CopyExport(dir, "conv_average", ".hidden/a");
  CopyExport(dir, "conv_average", "1/2/3/deep");
  const fs::path bare = CopyExport(dir, "conv_average", "bare");
  fs::remove(bare / "attn_maps/layers_manifest.json");
  const fs::path broken = CopyExport(dir, "conv_average", "broken");
  ReplaceInFile(broken / "attn_maps/layers_manifest.json", "{", "[");
  fs::create_directories(dir / "notes");
  dir.Write("notes/my_metadata.json", "{}");
  fs::create_directory_symlink("b", dir / "link");

  const ExportCatalog catalog(dir.path());
  const ExportList list = catalog.List();
  EXPECT_TRUE(list.truncated);  // 1/2/3/deep has folders that are too deep
  ASSERT_EQ(list.exports.size(), 4U);
  EXPECT_EQ(list.exports[0].id, "b");
  EXPECT_EQ(list.exports[0].path, (dir / "b/attn_maps").string());
  EXPECT_EQ(list.exports[0].name, "conv_per_head");
  EXPECT_EQ(list.exports[0].layers, 3U);
  EXPECT_EQ(list.exports[0].frames, 3);
  EXPECT_EQ(list.exports[1].id, "bare");
  EXPECT_EQ(list.exports[1].name, "bare");
  EXPECT_EQ(list.exports[2].id, "broken");
  EXPECT_NE(list.exports[2].error, "");
  EXPECT_EQ(list.exports[3].id, "sets/a");
  EXPECT_EQ(list.exports[3].error, "");
}

TEST(ExportCatalog, TheWalkIsBounded) {
  const TestDir dir;
  fs::create_directory(dir / "many");
  for (int i = 0; i < 20'001; ++i) dir.Write(fmt::format("many/{}", i), "");
  const ExportCatalog catalog(dir.path());
  EXPECT_TRUE(catalog.List().truncated);
  EXPECT_TRUE(catalog.List().exports.empty());
}

TEST(ExportCatalog, WaitsForAnotherExport) {
  const TestDir dir;
  CopyExport(dir, "conv_average", "a");
  ExportCatalog catalog(dir.path());
  std::stop_source stop;
  std::shared_ptr<const OpenedExport> first, second;
  std::thread waiting([&] {
    first = catalog.AwaitOther(nullptr, stop.get_token());
    second = catalog.AwaitOther(first.get(), stop.get_token());
  });
  const auto a = catalog.Open("a");
  stop.request_stop();
  waiting.join();
  EXPECT_TRUE(first == a || first == nullptr);
  EXPECT_EQ(catalog.AwaitOther(nullptr, stop.get_token()), a);
  EXPECT_EQ(second, first == a ? nullptr : a);
}

TEST(ExportCatalog, ManyThreads) {
  const TestDir dir;
  const std::vector<std::string> names = {"a", "b", "c", "d", "e", "f"};
  for (const std::string& name : names) CopyExport(dir, "conv_average", name);
  ExportCatalog catalog(dir.path());
  catalog.Open("a");
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 30; ++i) {
        const std::string& name = names[(i * (t + 1)) % names.size()];
        const auto opened = i % 5 == 0 ? catalog.Open(name) : catalog.Get(name);
        if (opened->id != name || catalog.Get("") == nullptr) ++wrong;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

// However many exports are open, they share one limit.
TEST(ExportCatalog, OneCacheForAllExports) {
  const TestDir dir;
  for (const char* name : {"a", "b", "c"}) CopyExport(dir, "conv_per_head", name);
  fs::create_directory(dir / "cache");
  const uint64_t layer = 90 * 4 * 3 * 90 + kLongestNpyHeader;  // queries, heads, frames, cells
  const auto cache = std::make_shared<InflatedCache>(dir / "cache", 4 * layer);
  ExportCatalog catalog(dir.path(), cache);
  for (const char* name : {"a", "b", "c", "a"}) {
    const auto opened = catalog.Get(name);
    for (size_t i = 0; i < 3; ++i) {
      opened->maps.Prepare(i);
      EXPECT_LE(cache->bytes(), 4 * layer);
    }
  }
  EXPECT_GT(cache->bytes(), 3 * layer);  // as many as fit
}

}  // namespace
}  // namespace vggt
