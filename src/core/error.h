// SPDX-License-Identifier: Apache-2.0
// The exceptions of the library: Error and what derives from it, and Interrupted.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace vggt {

// What went wrong, where (file, tensor, JSON key, byte) and what to do about it. what() joins the
// three into one line for people, "where: what. hint", in which `where` is made printable: it may
// hold any bytes. Texts name an option of a request by its field, in backquotes: "Give
// `first_image_idx` from 0 to 3." A program whose users write options in another way replaces these
// names.
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

// A file does not exist.
class MissingFile : public Error {
 public:
  using Error::Error;
};

// The user asked to stop (Ctrl-C). It does not derive from Error, so that handlers of Error let it
// pass.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

// Throws Error about a failed system call: "`doing`: text of `error_number`" (an errno). It has a
// hint if the disk is full or permissions are missing.
[[noreturn]] void ThrowSystemError(int error_number, const std::string& doing,
                                   const std::string& where);

// `bytes` for people: "812 B", "1.3 MB", "5.03 GB" (powers of 1000).
std::string HumanBytes(double bytes);

// `text` made safe to print on one line: control characters and invalid UTF-8 become "?", and a
// text of more than `limit` characters is cut and ends in "…". For names and values that come from
// foreign files.
std::string Printable(const std::string& text, size_t limit = 80);
// For paths and descriptions: up to 1000 characters.
inline std::string PrintableText(const std::string& text) { return Printable(text, 1000); }

}  // namespace vggt
