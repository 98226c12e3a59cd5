// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "formats/json.h"

namespace vggt {
namespace {

static_assert(std::endian::native == std::endian::little, "values are read as they stand");

constexpr uint64_t kMostHeaderBytes = 100'000'000;
constexpr size_t kMostTensorDimensions = 64;

struct NamedType {
  const char* name;
  DType dtype;
  int bits;
};

// Every type of the format, with the bits of one value.
constexpr NamedType kTypes[] = {
    {"F32", DType::kF32, 32},
    {"F16", DType::kF16, 16},
    {"BF16", DType::kBF16, 16},
    {"F64", DType::kF64, 64},
    {"U8", DType::kU8, 8},
    {"BOOL", DType::kOther, 8},
    {"I8", DType::kOther, 8},
    {"I16", DType::kOther, 16},
    {"U16", DType::kOther, 16},
    {"I32", DType::kOther, 32},
    {"U32", DType::kOther, 32},
    {"I64", DType::kOther, 64},
    {"U64", DType::kOther, 64},
    {"C64", DType::kOther, 64},
    {"F8_E5M2", DType::kOther, 8},
    {"F8_E4M3", DType::kOther, 8},
    {"F8_E8M0", DType::kOther, 8},
    {"F8_E4M3FNUZ", DType::kOther, 8},
    {"F8_E5M2FNUZ", DType::kOther, 8},
    {"F4", DType::kOther, 4},
    {"F6_E2M3", DType::kOther, 6},
    {"F6_E3M2", DType::kOther, 6},
};

const NamedType& FindType(const std::string& name, const std::string& where) {
  for (const NamedType& type : kTypes) {
    if (name == type.name) return type;
  }
  throw Error("is of the unknown type '" + Printable(name) + "'", where);
}

struct Placed {
  uint64_t begin, end;
  std::string name;
};

// The bytes that a tensor of `shape` takes.
uint64_t SizeOf(const NamedType& type, const Shape& shape, const std::string& where) {
  uint64_t bits = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(NumElements(shape, where)),
                             static_cast<uint64_t>(type.bits), &bits) ||
      bits % 8 != 0) {
    throw Error(fmt::format("has the impossible shape {}", ShapeText(shape)), where);
  }
  return bits / 8;
}

// A list of non-negative integers.
std::vector<int64_t> GetExtents(const Json& json, const char* key, const std::string& where) {
  std::vector<int64_t> out;
  for (const Json& item : GetJson<std::vector<Json>>(json, key, where)) {
    const bool fits = item.is_number_unsigned() && item.get<uint64_t>() <= INT64_MAX;
    if (!fits || out.size() == kMostTensorDimensions) {
      throw Error(fmt::format("'{}' is {}", key, DescribeJson(json[key])), where);
    }
    out.push_back(item.get<int64_t>());
  }
  return out;
}

TensorView ParseTensor(const Json& json, Bytes data, const std::string& where, Placed& placed) {
  const NamedType& type = FindType(GetJson<std::string>(json, "dtype", where), where);
  TensorView view;
  view.dtype = type.dtype;
  view.shape = GetExtents(json, "shape", where);
  const auto offsets = GetExtents(json, "data_offsets", where);
  if (offsets.size() != 2 || offsets[0] > offsets[1] ||
      static_cast<uint64_t>(offsets[1]) > data.size()) {
    throw Error(fmt::format("its data_offsets do not lie within the {} bytes of data that follow",
                            data.size()),
                where, "The file is truncated or damaged: download it again.");
  }
  placed.begin = static_cast<uint64_t>(offsets[0]);
  placed.end = static_cast<uint64_t>(offsets[1]);
  if (placed.end - placed.begin != SizeOf(type, view.shape, where)) {
    throw Error(fmt::format("{} of shape {} does not fit {} bytes", type.name,
                            ShapeText(view.shape), placed.end - placed.begin),
                where, "The file is damaged.");
  }
  view.bytes = data.subspan(placed.begin, placed.end - placed.begin);
  return view;
}

// Throws Error unless the tensors lie one behind the other from the first to the last byte.
void CheckPlaces(std::vector<Placed> places, uint64_t data_size, const std::string& source) {
  std::sort(places.begin(), places.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const Placed& place : places) {
    if (place.begin != end) {
      throw Error(fmt::format("tensor '{}' begins at byte {} of the data, expected {}",
                              Printable(place.name), place.begin, end),
                  source, "The file is damaged.");
    }
    end = place.end;
  }
  if (end != data_size) {
    throw Error(fmt::format("its tensors take {} bytes, but {} follow the header", end, data_size),
                source, "The file is damaged.");
  }
}

}  // namespace

bool LooksLikeSafetensors(Bytes bytes) {
  if (bytes.size() < 9 || bytes[8] != '{') return false;
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), sizeof(header_size));
  return header_size <= kMostHeaderBytes;
}

SafetensorsFile ParseSafetensors(Bytes bytes, const std::string& source) {
  Cursor cursor(bytes, source);
  const auto header_size = cursor.Read<uint64_t>("the header's size");
  if (header_size > kMostHeaderBytes) {
    throw Error(fmt::format("announces a header of {} bytes", header_size), source,
                "It is no safetensors file.");
  }
  const Bytes header = cursor.Take(header_size, "the header");
  if (header.empty() || header[0] != '{') {
    throw Error("its header does not begin with '{'", source, "It is no safetensors file.");
  }
  const Bytes data = cursor.Take(cursor.left(), "the data");
  const Json json =
      ParseJson({reinterpret_cast<const char*>(header.data()), header.size()}, source + ", header");
  SafetensorsFile file;
  std::vector<Placed> places;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      for (const auto& [key, text] : value.items()) {
        if (text.is_string()) file.metadata[key] = text.get<std::string>();
      }
      continue;
    }
    Placed placed{0, 0, name};
    const std::string where = fmt::format("{}, tensor '{}'", source, Printable(name));
    file.tensors[name] = ParseTensor(value, data, where, placed);
    places.push_back(placed);
  }
  CheckPlaces(std::move(places), data.size(), source);
  return file;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     const std::vector<Entry>& entries,
                                     const std::map<std::string, std::string>& metadata,
                                     AtomicOptions options)
    : file_(path, options), entries_(entries) {
  OrderedJson header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const Entry& entry : entries) {
    const uint64_t end = offset + NumElements(entry.shape) * DTypeSize(entry.dtype);
    header[entry.name] = {
        {"dtype", DTypeName(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t size = text.size();
  size_ = sizeof(size) + size + offset;
  file_.Write({reinterpret_cast<const uint8_t*>(&size), sizeof(size)});
  file_.Write(BytesOf(text));
}

void SafetensorsWriter::Append(Bytes bytes) {
  if (next_ == entries_.size()) throw Error("more tensors are written than were announced");
  const Entry& entry = entries_[next_++];
  const uint64_t expected = NumElements(entry.shape) * DTypeSize(entry.dtype);
  if (bytes.size() != expected) {
    throw Error(fmt::format("{} bytes are written for tensor '{}', {} were announced", bytes.size(),
                            entry.name, expected));
  }
  file_.Write(bytes);
}

void SafetensorsWriter::Commit() {
  if (next_ != entries_.size()) {
    throw Error(fmt::format("tensor '{}' was announced but not written", entries_[next_].name));
  }
  file_.Commit();
}

}  // namespace vggt
