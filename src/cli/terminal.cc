// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "capture/recovery.h"
#include "cli/flag_names.h"

namespace vggt {
namespace {

bool CanRewriteLines() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

// Whether anybody reads it is no reason to stop: no exception, unlike fmt::print.
void Show(const std::string& text) { std::fputs(text.c_str(), stderr); }

}  // namespace

std::string HumanSeconds(double seconds) {
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return seconds < 9.95 && seconds > 0 ? fmt::format("{:.1f} s", seconds)
                                       : fmt::format("{} s", whole);
}

ProgressDisplay::ProgressDisplay(bool quiet) : quiet_(quiet), terminal_(CanRewriteLines()) {}

ProgressDisplay::~ProgressDisplay() { ProgressDisplay::End(); }

void ProgressDisplay::Note(const std::string& text) {
  if (quiet_) return;
  if (terminal_ && !stage_.empty()) Rewrite("");
  Show(WithFlagNames(text) + '\n');
}

void ProgressDisplay::Begin(const std::string& stage) {
  End();
  stage_ = stage;
  last_tenth_ = -1;
  begin_ = std::chrono::steady_clock::now();
  if (quiet_) return;
  if (terminal_) {
    Rewrite(stage);
  } else {
    Show(stage + '\n');
  }
}

void ProgressDisplay::Update(double share, const std::string& detail) {
  if (quiet_) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
  std::string text = fmt::format("{} {:3.0f} %", stage_, 100 * share);
  if (!detail.empty()) text += ", " + detail;
  // The first moments tell little about the rest.
  if (share > 0.02 && share < 1 && elapsed.count() > 1) {
    text += fmt::format(", {} left", HumanSeconds(elapsed.count() * (1 - share) / share));
  }
  const int tenth = static_cast<int>(10 * share);
  if (terminal_) {
    Rewrite(text);
  } else if (tenth > last_tenth_ && elapsed.count() > 1) {
    Show(text + '\n');
    last_tenth_ = tenth;
  }
}

void ProgressDisplay::End() {
  if (!quiet_ && terminal_ && !stage_.empty()) Rewrite("");
  stage_.clear();
}

void ProgressDisplay::Rewrite(const std::string& text) {
  // Carriage return, the text, then erase what an older, longer text left behind.
  Show("\r" + text + "\x1b[K");
  std::fflush(stderr);
}

void NoteRecovery(const std::filesystem::path& path) {
  const std::string text = RecoverExports(path);
  if (!text.empty()) Show(fmt::format("vggt-attn: {}\n", text));
}

}  // namespace vggt
