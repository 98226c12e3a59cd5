// SPDX-License-Identifier: Apache-2.0
#include "formats/csv.h"

namespace vggt {

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string CsvName(const std::string& name) {
  const bool computed = name.find_first_of("=+-@") == 0;
  return CsvField(computed ? "./" + name : name);
}

}  // namespace vggt
