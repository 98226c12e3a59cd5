// SPDX-License-Identifier: Apache-2.0
#include "store/common/provenance.h"

#include "store/common/provenance_json.h"

namespace vggt {
namespace {

// A key and the member that it stands for, a text or a number. What says nothing is not written.
struct Field {
  const char* key;
  std::string Provenance::*text = nullptr;
  int64_t Provenance::*number = nullptr;
};

// In the order in which they are written.
constexpr Field kModelFields[] = {
    {.key = "weights", .text = &Provenance::weights},
    {.key = "weights_key", .text = &Provenance::weights_key},
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
    {.key = kDefinitionKey, .text = &Provenance::definition},
    {.key = kDefinitionTextKey, .text = &Provenance::definition_text},
};

void Write(const Provenance& p, const Field& field, OrderedJson& json) {
  if (field.number != nullptr) {
    if (p.*field.number != 0) json[field.key] = p.*field.number;
  } else if (!(p.*field.text).empty()) {
    json[field.key] = p.*field.text;
  }
}

void Read(const Json& json, const Field& field, const std::string& source, Provenance& p) {
  if (!HasJson(json, field.key)) return;
  if (field.number != nullptr) {
    p.*field.number = GetExtent(json, field.key, source, 0);
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

Provenance ParseProvenance(const Json& json, const std::string& source) {
  Provenance p;
  for (const Field& field : kOtherFields) Read(json, field, source, p);
  if (!HasJson(json, kModelKey)) return p;
  const Json model = GetJson<Json>(json, kModelKey, source);
  for (const Field& field : kModelFields) Read(model, field, source + ", model", p);
  return p;
}

}  // namespace vggt
