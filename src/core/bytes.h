// SPDX-License-Identifier: Apache-2.0
// Bytes that belong to somebody else, and a bounds-checked cursor over those that are not trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace vggt {

using Bytes = std::span<const uint8_t>;

// Valid as long as `text`.
inline Bytes BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Reads little-endian values front to back out of bytes it does not trust. Every read is checked
// against what is left and throws Error naming the source, the byte and what was wanted.
class Cursor {
 public:
  Cursor(Bytes bytes, std::string source) : bytes_(bytes), source_(std::move(source)) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  // The next `size` bytes; `what` names them in the error.
  Bytes Take(size_t size, const char* what);

  template <typename T>
  T Read(const char* what) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, Take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  // Throws Error at the current byte.
  [[noreturn]] void Fail(const std::string& problem, const std::string& hint = "") const;

 private:
  Bytes bytes_;
  std::string source_;
  size_t position_ = 0;
};

}  // namespace vggt
