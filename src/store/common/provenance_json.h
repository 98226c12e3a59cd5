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

// Sets generator, model and precision, and the definition's keys where they are not empty. Keys
// that `json` has already keep their place.
void AddProvenance(const Provenance& provenance, OrderedJson& json);

// kOurs: what this project writes has all keys but those that say what is unusual.
enum class Origin { kOurs, kAnyone };

// Throws Error naming `source` and the key if something is of another type or out of range, or if
// something is missing that `origin` has.
Provenance ParseProvenance(const Json& json, const std::string& source, Origin origin);

}  // namespace vggt
