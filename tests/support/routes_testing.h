// SPDX-License-Identifier: Apache-2.0
// Requests to Routes, and a look at their answers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "export_testing.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "qk_store_testing.h"
#include "server/routes.h"
#include "testing.h"

namespace vggt::testing {

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() : export_(CopyExport(dir_, "conv_per_head", "root/a")) {
    CopyExport(dir_, "conv_average", "root/b");
    CopyExport(dir_, "conv_average", "outside");
    catalog_ = std::make_unique<ExportCatalog>(dir_ / "root");
    catalog_->Open("a");
    routes_ = std::make_unique<Routes>(*catalog_, AccessRule{"127.0.0.1", ""});
  }

  Response Get(const std::string& path,
               const std::vector<std::pair<std::string, std::string>>& query = {}) const {
    Request request;
    request.method = "GET";
    request.path = path;
    request.params = query;
    request.host = "localhost:7860";
    return routes_->Handle(request);
  }

  Response Post(const std::string& body, const std::string& type = "application/json") const {
    Request request;
    request.method = "POST";
    request.path = "/api/open";
    request.host = "localhost:7860";
    request.content_type = type;
    request.body = body;
    return routes_->Handle(request);
  }

  Response Maps(std::vector<std::pair<std::string, std::string>> query,
                const std::string& path = "/api/maps.npy") const {
    query.emplace_back("row", "4");
    query.emplace_back("col", "5");
    return Get(path, query);
  }

  TestDir dir_;
  std::filesystem::path export_;
  std::unique_ptr<ExportCatalog> catalog_;
  std::unique_ptr<Routes> routes_;
};

inline std::string HeaderOf(const Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

// The two arrays of an answer, one behind the other.
inline std::pair<NpyArray, std::vector<double>> ArraysOf(const Response& response) {
  const Bytes body = AsBytes(response.body);
  const NpyLayout layout = ParseNpyHeader(body.first(std::min(body.size(), kLongestNpyHeader)), "");
  const size_t end = layout.data + NpyDataSize(layout);
  const NpyArray first = ParseNpy(body.first(end), "first");
  if (end == body.size()) return {first, {}};
  const NpyArray second = ParseNpy(body.subspan(end), "second");
  EXPECT_EQ(second.descr, "<f8");
  EXPECT_EQ(second.shape, (Shape{first.shape[0], first.shape[1]}));
  std::vector<double> numbers(second.data.size() / sizeof(double));
  std::memcpy(numbers.data(), second.data.data(), second.data.size());
  return {first, numbers};
}

inline Json BodyOf(const Response& response) { return ParseJson(response.body, "answer"); }

// "what" of an error, after a look at its form.
inline std::string WhatOf(const Response& response) {
  EXPECT_EQ(response.content_type, "application/json");
  const Json error = BodyOf(response)["error"];
  EXPECT_EQ(error.size(), 3U);
  EXPECT_TRUE(error["where"].is_string() && error["hint"].is_string());
  return error["what"];
}

// An export of the same pictures with a store of queries and keys.
class StoreRoutesTest : public RoutesTest {
 protected:
  StoreRoutesTest() {
    const LayerMetadata m = OpenExport(export_).maps.back().metadata;
    WriteQkStore(export_, SmallQkDescription(m.frames, m.H_p, m.W_p));
    catalog_->Open("a");
  }

  Response Rows(std::vector<std::pair<std::string, std::string>> query,
                const std::string& path = "/api/maps.npy") const {
    query.emplace_back("definition", "patches");
    return Maps(query, path);
  }
};

}  // namespace vggt::testing
