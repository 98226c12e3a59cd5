// SPDX-License-Identifier: Apache-2.0
// Processes that are killed at a chosen system call, as the kernel's out-of-memory killer or a
// power cut would do it.
#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <functional>

#include "core/error.h"

namespace vggt::testing {

// From now on this process's renameat2() fails as on a file system that does not know its flags.
inline void ForbidRenameAt2() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {std::size(filter), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    _exit(3);
  }
}

// A child process that runs `body` and stops at the begin and at the end of each system call.
class SteppedProcess {
 public:
  explicit SteppedProcess(const std::function<void()>& body) : child_(fork()) {
    if (child_ < 0) throw Error("cannot start a process for the test");
    if (child_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      raise(SIGSTOP);
      try {
        body();
      } catch (...) {
        _exit(2);
      }
      _exit(0);
    }
    waitpid(child_, &status_, 0);
    ptrace(PTRACE_SETOPTIONS, child_, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  }
  SteppedProcess(const SteppedProcess&) = delete;
  SteppedProcess& operator=(const SteppedProcess&) = delete;
  ~SteppedProcess() { Kill(); }

  pid_t pid() const { return child_; }

  // Goes on to the next stop; false if the process has ended.
  bool Step() {
    ptrace(PTRACE_SYSCALL, child_, nullptr, nullptr);
    waitpid(child_, &status_, 0);
    ended_ = WIFEXITED(status_) || WIFSIGNALED(status_);
    return !ended_;
  }

  void Kill() {
    if (ended_) return;
    kill(child_, SIGKILL);
    waitpid(child_, &status_, 0);
    ended_ = true;
  }

  // Whether `body` came to its end without an exception.
  bool succeeded() const { return ended_ && WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }

 private:
  pid_t child_;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace vggt::testing
