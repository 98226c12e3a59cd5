// SPDX-License-Identifier: Apache-2.0
// Provenance in JSON (docs/formats.md). Private: only sources include it.
#pragma once

#include <string>

#include "formats/json.h"
#include "store/common/provenance.h"

namespace vggt {

// The keys; the model's own stand inside kModelKey.
inline constexpr const char* kGeneratorKey = "generator";
inline constexpr const char* kModelKey = "model";
inline constexpr const char* kPrecisionKey = "precision";
inline constexpr const char* kDefinitionKey = "definition";
inline constexpr const char* kDefinitionTextKey = "definition_text";

// Sets generator, model, precision and definition, as far as they say something. Keys that `json`
// has already keep their place.
void AddProvenance(const Provenance& provenance, OrderedJson& json);

// Any key may be missing. Throws Error naming `source` and the key if something is of another type
// or out of range.
Provenance ParseProvenance(const Json& json, const std::string& source);

}  // namespace vggt
