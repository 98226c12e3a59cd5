// SPDX-License-Identifier: Apache-2.0
// How a job says what it is doing.
#pragma once

#include <string>

namespace vggt {

// A job calls these on the thread that runs it. By default nothing is done. What they throw ends
// the job; to stop one from outside there is StopCheck (core/parallel.h).
class CaptureProgress {
 public:
  virtual ~CaptureProgress() = default;

  // Something that the user should know, without a full stop. Options are named as in errors.
  virtual void Note(const std::string& /*text*/) {}
  // How something was chosen that was left open: nobody needs to know it.
  virtual void Remark(const std::string& text) { Note(text); }
  // A stage begins, and the one before has ended: "loading weights".
  virtual void Begin(const std::string& /*stage*/) {}
  // `share` of the stage is done, in [0, 1]. `detail` says where it is, "layer 3 of 24", or
  // nothing.
  virtual void Update(double /*share*/, const std::string& /*detail*/) {}
  // The last stage has ended.
  virtual void End() {}
};

}  // namespace vggt
