// SPDX-License-Identifier: Apache-2.0
// What a user sees while something runs: on stderr, so that stdout holds results alone.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "capture/progress.h"

namespace vggt {

// "4 s", "2 min 05 s", "1 h 12 min".
std::string HumanSeconds(double seconds);

// On a terminal one line that is rewritten, with the time left; elsewhere plain lines, one for each
// stage and for every further tenth of it.
class ProgressDisplay : public CaptureProgress {
 public:
  // `quiet` shows nothing at all.
  explicit ProgressDisplay(bool quiet);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay() override;

  // A line that stays, above the progress; flags stand in place of options.
  void Note(const std::string& text) override;
  void Begin(const std::string& stage) override;
  void Update(double share, const std::string& detail) override;
  // Ends the stage and removes its line.
  void End() override;

 private:
  void Rewrite(const std::string& text);

  bool quiet_, terminal_;
  std::string stage_;
  int last_tenth_ = -1;
  std::chrono::steady_clock::time_point begin_;
};

// Tidies up around an export that a command reads (capture/recovery.h), and says on stderr what was
// done.
void NoteRecovery(const std::filesystem::path& path);

}  // namespace vggt
