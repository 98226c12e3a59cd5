// SPDX-License-Identifier: Apache-2.0
// What a user sees while something runs: on stderr, so that stdout holds results alone.
#pragma once

#include <chrono>
#include <string>

namespace vggt {

// "4 s", "2 min 05 s", "1 h 12 min".
std::string HumanSeconds(double seconds);

// On a terminal one line that is rewritten, with the time left; elsewhere plain lines, one for each
// stage and for every further tenth of it.
class ProgressDisplay {
 public:
  // `quiet` shows nothing at all.
  explicit ProgressDisplay(bool quiet);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay();

  // A line that stays, above the progress; flags stand in place of options.
  void Note(const std::string& text);
  // Begins a stage: "loading weights".
  void Begin(const std::string& stage);
  // `share` of the stage is done, in [0, 1]; `detail` says where it is: "layer 3 of 24".
  void Update(double share, const std::string& detail);
  // Ends the stage and removes its line.
  void End();

 private:
  void Rewrite(const std::string& text);

  bool quiet_, terminal_;
  std::string stage_;
  int last_tenth_ = -1;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace vggt
