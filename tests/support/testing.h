// SPDX-License-Identifier: Apache-2.0
// What tests share: golden files, a folder of one's own, and errors as text.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <type_traits>

#include "core/error.h"
#include "core/file.h"

namespace vggt::testing {

inline std::filesystem::path SourceDir() { return VGGT_SOURCE_DIR; }

// tests/golden/NAME: results of the executable specification (docs/exactness.md).
inline std::filesystem::path Golden(const std::string& name) {
  return SourceDir() / "tests" / "golden" / name;
}

// An empty folder, removed with its contents at the end of the test.
class TestDir {
 public:
  TestDir() {
    std::string name = (std::filesystem::temp_directory_path() / "vggt-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Error("cannot create a folder for the test", name);
    path_ = name;
  }
  TestDir(const TestDir&) = delete;
  TestDir& operator=(const TestDir&) = delete;
  ~TestDir() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  // Writes a file into the folder and returns its path.
  std::filesystem::path Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }

  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::filesystem::path path_;
};

// The text of the Error that `body` throws; fails the test and returns "" if it throws none.
template <typename Body>
std::string ErrorOf(Body body) {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
    } else {
      [[maybe_unused]] const auto unused = body();
    }
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return "";
}

// What the StopCheck of a test throws.
struct Cancelled {};

inline Bytes AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace vggt::testing
