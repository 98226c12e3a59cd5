// SPDX-License-Identifier: Apache-2.0
// What this build reads: some formats need libraries that may have been missing when it was built.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace vggt {

struct Capability {
  std::string_view format;   // "HEIC"
  std::string_view library;  // what reads it; "" for none but this program
  std::string_view package;  // what to install before building again, by its name in Debian
  bool present;
};

// Every format that some build reads.
std::span<const Capability> Capabilities();

// "reads PNG, JPEG and BMP; not HEIC, TIFF"; the second half only if something is missing.
std::string CapabilitiesText(std::span<const Capability> capabilities = Capabilities());

// Throws the Error of a build that lacks `capability`, about file `name`.
[[noreturn]] void RefuseMissing(const Capability& capability, const std::string& name);
// Of a format in Capabilities().
[[noreturn]] void RefuseMissing(std::string_view format, const std::string& name);

}  // namespace vggt
