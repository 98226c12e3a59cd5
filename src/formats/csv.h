// SPDX-License-Identifier: Apache-2.0
// Fields of CSV files (RFC 4180).
#pragma once

#include <string>

namespace vggt {

// As a reader of CSV takes for one field: quoted if there are commas, quotes or line breaks in it.
std::string CsvField(const std::string& text);

// The same of what others have named. What a spreadsheet would compute, because it begins with =,
// +, - or @, has "./" before it.
std::string CsvName(const std::string& name);

}  // namespace vggt
