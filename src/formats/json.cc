// SPDX-License-Identifier: Apache-2.0
#include "formats/json.h"

#include <set>
#include <vector>

namespace vggt {
namespace {

constexpr size_t kMostBytes = 64'000'000;
constexpr int kDeepest = 64;

[[noreturn]] void WrongType(const Json& found, const char* key, const char* expected,
                            const std::string& source) {
  throw Error(fmt::format("'{}' is {}, expected {}", key, DescribeJson(found), expected), source);
}

template <typename T, typename Is>
T Get(const Json& json, const char* key, const char* expected, const std::string& source, Is is) {
  Json value = GetJson<Json>(json, key, source);
  if (!(value.*is)()) WrongType(value, key, expected, source);
  return value.get<T>();
}

template <typename T, typename Is>
std::vector<T> GetList(const Json& json, const char* key, const char* expected,
                       const std::string& source, Is is) {
  const Json value = GetJson<Json>(json, key, source);
  if (!value.is_array()) WrongType(value, key, expected, source);
  std::vector<T> list;
  for (const Json& item : value) {
    if (!(item.*is)()) WrongType(item, key, expected, source);
    list.push_back(item.get<T>());
  }
  return list;
}

}  // namespace

Json ParseJson(std::string_view text, const std::string& source) {
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDeepest) throw Error(fmt::format("is nested deeper than {}", kDeepest), source);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(parsed.get<std::string>()).second) {
      throw Error(fmt::format("has the key '{}' twice", Printable(parsed.get<std::string>())),
                  source);
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::parse_error& e) {
    throw Error("is no valid JSON", fmt::format("{}, byte {}", source, e.byte),
                "The file is damaged or of another kind.");
  } catch (const Json::exception&) {  // numbers out of range
    throw Error("is no valid JSON: a number is out of range", source);
  }
}

Json ReadJsonFile(const std::filesystem::path& path) {
  const MappedFile file(path);
  if (file.bytes().size() > kMostBytes) {
    throw Error(fmt::format("is {}, too large for what it should be",
                            HumanBytes(static_cast<double>(file.bytes().size()))),
                path.string());
  }
  return ParseJson({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()},
                   path.string());
}

std::string DumpJson(const OrderedJson& json) {
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

std::string DescribeJson(const Json& json) {
  switch (json.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return fmt::format("a list of {}", json.size());
    case Json::value_t::string:
      return fmt::format("the text '{}'", Printable(json.get<std::string>(), 40));
    default:
      return json.dump();
  }
}

template <>
Json GetJson<Json>(const Json& json, const char* key, const std::string& source) {
  if (!json.is_object()) {
    throw Error(fmt::format("is {}, expected an object with '{}'", DescribeJson(json), key),
                source);
  }
  const auto found = json.find(key);
  if (found == json.end()) throw Error(fmt::format("'{}' is missing", key), source);
  return *found;
}

template <>
bool GetJson<bool>(const Json& json, const char* key, const std::string& source) {
  return Get<bool>(json, key, "true or false", source, &Json::is_boolean);
}

template <>
int64_t GetJson<int64_t>(const Json& json, const char* key, const std::string& source) {
  const Json value = GetJson<Json>(json, key, source);
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX)) {
    WrongType(value, key, "an integer", source);
  }
  return value.get<int64_t>();
}

template <>
double GetJson<double>(const Json& json, const char* key, const std::string& source) {
  return Get<double>(json, key, "a number", source, &Json::is_number);
}

template <>
std::string GetJson<std::string>(const Json& json, const char* key, const std::string& source) {
  return Get<std::string>(json, key, "a text", source, &Json::is_string);
}

template <>
std::vector<Json> GetJson<std::vector<Json>>(const Json& json, const char* key,
                                             const std::string& source) {
  const Json value = GetJson<Json>(json, key, source);
  if (!value.is_array()) WrongType(value, key, "a list", source);
  return {value.begin(), value.end()};
}

template <>
std::vector<double> GetJson<std::vector<double>>(const Json& json, const char* key,
                                                 const std::string& source) {
  return GetList<double>(json, key, "a list of numbers", source, &Json::is_number);
}

template <>
std::vector<std::string> GetJson<std::vector<std::string>>(const Json& json, const char* key,
                                                           const std::string& source) {
  return GetList<std::string>(json, key, "a list of texts", source, &Json::is_string);
}

}  // namespace vggt
