// SPDX-License-Identifier: Apache-2.0
// JSON from files that are not trusted, and JSON to be read by people. Private: only sources
// include it, so that whoever uses the library needs no nlohmann/json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vggt {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // keeps the order of insertion

// Throws Error naming `source` and the byte if `text` is not JSON, is nested deeper than 64, holds
// more than 4 million values, or has the same key twice in one object.
Json ParseJson(std::string_view text, const std::string& source);

// The same for a file of at most 64 MB.
Json ReadJsonFile(const std::filesystem::path& path);

// The text with two spaces of indentation and a newline at the end. Invalid UTF-8 becomes U+FFFD.
std::string DumpJson(const OrderedJson& json);

// The value in words for messages: "1.5", "a list of 3", "the text 'x'".
std::string DescribeJson(const Json& json);

// Whether `json` is an object that has the key, with another value than null.
bool HasJson(const Json& json, const char* key);

// The value of `key` in the object `json`. Throws Error naming source and key if it is missing or
// of another type. Nothing is converted silently: a number with a fraction is no integer.
template <typename T>
T GetJson(const Json& json, const char* key, const std::string& source);

template <>
Json GetJson<Json>(const Json& json, const char* key, const std::string& source);
template <>
bool GetJson<bool>(const Json& json, const char* key, const std::string& source);
template <>
int64_t GetJson<int64_t>(const Json& json, const char* key, const std::string& source);
template <>
double GetJson<double>(const Json& json, const char* key, const std::string& source);
template <>
std::string GetJson<std::string>(const Json& json, const char* key, const std::string& source);
template <>
std::vector<Json> GetJson<std::vector<Json>>(const Json& json, const char* key,
                                             const std::string& source);
template <>
std::vector<double> GetJson<std::vector<double>>(const Json& json, const char* key,
                                                 const std::string& source);
template <>
std::vector<std::string> GetJson<std::vector<std::string>>(const Json& json, const char* key,
                                                           const std::string& source);

// Beyond any model or picture; the product of three such numbers fits 64 bits.
inline constexpr int64_t kMostExtent = 1'000'000;

// The same of an integer from `least` to kMostExtent.
int64_t GetExtent(const Json& json, const char* key, const std::string& source, int64_t least);

}  // namespace vggt
