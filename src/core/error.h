// SPDX-License-Identifier: Apache-2.0
// The one exception type that the library throws.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace vggt {

// What went wrong, where (file, tensor, JSON key, byte) and what to do about it.
// what() joins the three into one line for people: "where: what. hint"; `where` may hold anything
// and is made printable there. An option of what was asked for is named by its field, in
// backquotes: "Give `first_image_idx` from 0 to 3." A program whose users write options otherwise
// replaces them.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, const std::string& where = "",
                 const std::string& hint = "");

  const std::string& problem() const { return problem_; }
  const std::string& where() const { return where_; }
  const std::string& hint() const { return hint_; }

 private:
  std::string problem_, where_, hint_;
};

// A file that is not there.
class MissingFile : public Error {
 public:
  using Error::Error;
};

// The user asked to stop (Ctrl-C). Derived from nothing that a catch of Error would swallow.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

// Throws Error about a failed system call, with the text of `error_number` (an errno).
[[noreturn]] void ThrowSystemError(int error_number, const std::string& doing,
                                   const std::string& where);

// `bytes` for people: "812 B", "1.3 MB", "5.03 GB" (powers of 1000).
std::string HumanBytes(double bytes);

// `text` made safe to print on one line: control characters and invalid UTF-8 become "?", and what
// is longer than `limit` characters ends in "…". For names and values that come from foreign files.
std::string Printable(const std::string& text, size_t limit = 80);
// The same for paths and descriptions: up to 1000 characters.
inline std::string PrintableText(const std::string& text) { return Printable(text, 1000); }

}  // namespace vggt
