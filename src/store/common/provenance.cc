// SPDX-License-Identifier: Apache-2.0
#include "store/common/provenance.h"

#include "store/common/provenance_json.h"

namespace vggt {
namespace {

// A key and the member that it stands for, a text or a number.
struct Field {
  const char* key;
  std::string Provenance::*text = nullptr;
  int64_t Provenance::*number = nullptr;
  bool usual = true;  // false: only written if it says something
};

// In the order in which they are written.
constexpr Field kModelFields[] = {
    {.key = "weights", .text = &Provenance::weights},
    {.key = "weights_key", .text = &Provenance::weights_key, .usual = false},
    {.key = "family", .text = &Provenance::family},
    {.key = "text", .text = &Provenance::model_text},
    {.key = "depth", .number = &Provenance::depth},
    {.key = "dim", .number = &Provenance::dim},
    {.key = "num_heads", .number = &Provenance::num_heads},
    {.key = "image_width", .number = &Provenance::image_width},
    {.key = "image_height", .number = &Provenance::image_height},
};
constexpr Field kOtherFields[] = {
    {.key = kGeneratorKey, .text = &Provenance::generator},
    {.key = kPrecisionKey, .text = &Provenance::precision},
    {.key = kDefinitionKey, .text = &Provenance::definition, .usual = false},
    {.key = kDefinitionTextKey, .text = &Provenance::definition_text, .usual = false},
};

void Write(const Provenance& p, const Field& field, OrderedJson& json) {
  if (field.number != nullptr) {
    json[field.key] = p.*field.number;
  } else if (field.usual || !(p.*field.text).empty()) {
    json[field.key] = p.*field.text;
  }
}

void Read(const Json& json, const Field& field, const std::string& source, Origin origin,
          Provenance& p) {
  const bool needed = origin == Origin::kOurs && field.usual;
  if (!needed && !HasJson(json, field.key)) return;
  if (field.number != nullptr) {
    p.*field.number = GetExtent(json, field.key, source, needed ? 1 : 0);
  } else {
    p.*field.text = GetJson<std::string>(json, field.key, source);
  }
}

}  // namespace

void AddProvenance(const Provenance& p, OrderedJson& json) {
  OrderedJson model = OrderedJson::object();
  for (const Field& field : kModelFields) Write(p, field, model);
  const auto& [generator, precision, definition, definition_text] = kOtherFields;
  Write(p, generator, json);
  json[kModelKey] = std::move(model);
  for (const Field* field : {&precision, &definition, &definition_text}) Write(p, *field, json);
}

Provenance ParseProvenance(const Json& json, const std::string& source, Origin origin) {
  Provenance p;
  for (const Field& field : kOtherFields) Read(json, field, source, origin, p);
  if (origin == Origin::kAnyone && !HasJson(json, kModelKey)) return p;
  const Json model = GetJson<Json>(json, kModelKey, source);
  for (const Field& field : kModelFields) Read(model, field, source + ", model", origin, p);
  return p;
}

}  // namespace vggt
