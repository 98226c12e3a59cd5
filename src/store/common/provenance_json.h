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

// Who wrote the file. This project writes all keys, apart from those that it only writes if they
// say something.
enum class Origin { kOurs, kAnyone };

// Throws Error naming `source` and the key if something is of another type or out of range, or if a
// key is missing that this project always writes and `origin` is kOurs.
Provenance ParseProvenance(const Json& json, const std::string& source, Origin origin);

}  // namespace vggt
