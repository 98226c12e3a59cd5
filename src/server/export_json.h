// SPDX-License-Identifier: Apache-2.0
// What the API says about exports (docs/http-api.md).
#pragma once

#include "formats/json.h"
#include "server/export_catalog.h"

namespace vggt {

// The answer to GET /api/export.
OrderedJson ExportJson(const OpenedExport& opened);

// The answer to GET /api/exports.
OrderedJson ExportListJson(const ExportList& list, const std::filesystem::path& root);

// `text` with everything but letters, digits and -_.~ as %XX.
std::string PercentEncoded(const std::string& text);

}  // namespace vggt
