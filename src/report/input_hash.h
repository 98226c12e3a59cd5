// SPDX-License-Identifier: Apache-2.0
// What tells whether a report was made of these files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/qk/qk_store.h"

namespace vggt {

// SHA-256, in hexadecimal.
std::string Sha256(std::string_view bytes);

struct InputHash {
  std::string value;   // 64 hexadecimal digits
  uint64_t bytes = 0;  // of all files
};

// What the hash is taken of, in a sentence.
extern const char* const kInputHashText;

// Of the description of a store, and of each layer's file its name, its size and three pieces of 64
// KiB: its beginning, its middle and its end. Hashing the whole files would take longer than some
// reports. `description`: the file that the store was opened with. Throws Error if a file cannot be
// read.
InputHash HashInput(const std::filesystem::path& description, const QkStore& store);

}  // namespace vggt
