// SPDX-License-Identifier: Apache-2.0
// Which formats this build reads. Some need libraries that may have been missing when it was built.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace vggt {

struct Capability {
  std::string_view format;   // "HEIC"
  std::string_view library;  // that reads it; "" if this program does so itself
  std::string_view package;  // the Debian package to install before building again
  bool present;
};

// Every format that this program can be built to read.
std::span<const Capability> Capabilities();

// "reads PNG, JPEG and BMP; not HEIC, TIFF"; the second half only if something is missing.
std::string CapabilitiesText(std::span<const Capability> capabilities = Capabilities());

// Throws Error about file `name`: this build lacks `capability`.
[[noreturn]] void RefuseMissing(const Capability& capability, const std::string& name);
// The same for the capability of `format`, which is one of Capabilities().
[[noreturn]] void RefuseMissing(std::string_view format, const std::string& name);

}  // namespace vggt
