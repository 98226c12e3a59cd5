// SPDX-License-Identifier: Apache-2.0
#include "formats/json.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "core/error.h"
#include "core/file.h"

namespace vggt {
namespace {

constexpr size_t kMostBytes = 64'000'000;
constexpr size_t kDeepest = 64;
constexpr size_t kMostValues = 4'000'000;

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

// Builds the value while it is read. nlohmann's own parser would keep the last of two equal keys,
// and nest as deep as the text does.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const std::string& source) : source_(source) {}

  Json Take() { return std::move(root_); }

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t& value) override { return Add(std::move(value)); }
  bool start_object(size_t /*count*/) override { return Open(Json::object()); }
  bool start_array(size_t /*count*/) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    Count();
    last_key_ = name;
    const auto [place, is_new] = open_.back()->emplace(name, nullptr);
    if (!is_new) throw Error(fmt::format("has the key '{}' twice", Printable(name)), source_);
    member_ = &*place;
    return true;
  }

  bool parse_error(size_t byte, const std::string& /*token*/,
                   const Json::exception& problem) override {
    const char* what = dynamic_cast<const Json::out_of_range*>(&problem) != nullptr
                           ? "a number is out of range"
                           : "is no valid JSON";
    const std::string where = last_key_.empty() ? "" : ", after '" + Printable(last_key_) + "'";
    throw Error(what, fmt::format("{}, byte {}{}", source_, byte, where),
                "The file is damaged or of another kind.");
  }

 private:
  void Count() {
    if (++values_ > kMostValues) {
      throw Error(fmt::format("holds more than {} values", kMostValues), source_);
    }
  }

  // The place of the next value: the text's own, the next of a list, or that of the key before it.
  Json& Place() {
    if (open_.empty()) return root_;
    Json& parent = *open_.back();
    return parent.is_array() ? parent.emplace_back() : *member_;
  }

  bool Add(Json value) {
    Count();
    Place() = std::move(value);
    return true;
  }

  bool Open(Json empty) {
    if (open_.size() == kDeepest) {
      throw Error(fmt::format("is nested deeper than {}", kDeepest), source_);
    }
    Count();
    Json& place = Place();
    place = std::move(empty);
    open_.push_back(&place);
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  const std::string& source_;
  Json root_;
  std::vector<Json*> open_;  // the objects and lists around the next value, the innermost last
  Json* member_ = nullptr;   // the value of the last key
  std::string last_key_;
  size_t values_ = 0;
};

}  // namespace

Json ParseJson(std::string_view text, const std::string& source) {
  Builder builder(source);
  Json::sax_parse(text, &builder);
  return builder.Take();
}

Json ReadJsonFile(const std::filesystem::path& path) {
  return ParseJson(ReadFile(path, kMostBytes), path.string());
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

bool HasJson(const Json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found != json.end() && !found->is_null();
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

int64_t GetExtent(const Json& json, const char* key, const std::string& source, int64_t least) {
  const auto value = GetJson<int64_t>(json, key, source);
  if (value < least || value > kMostExtent) {
    throw Error(fmt::format("'{}' is {}, expected {} … {}", key, value, least, kMostExtent),
                source);
  }
  return value;
}

}  // namespace vggt
