// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

#include "core/error.h"

namespace vggt {
namespace {

// Written by the handler, read by any thread.
std::atomic<int> interrupted = 0;
static_assert(std::atomic<int>::is_always_lock_free);

void Note(int signal) {
  if (interrupted != 0) _exit(128 + signal);
  interrupted = 1;
}

constexpr std::array kChanged = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};

bool IsIgnored(int signal) {
  struct sigaction now = {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler == SIG_IGN;
}

sigset_t Interrupts() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!IsIgnored(signal)) sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

SignalsAsBefore::SignalsAsBefore() : before_(kChanged.size()) {
  for (size_t i = 0; i < kChanged.size(); ++i) sigaction(kChanged[i], nullptr, &before_[i]);
}

SignalsAsBefore::~SignalsAsBefore() {
  for (size_t i = 0; i < kChanged.size(); ++i) sigaction(kChanged[i], &before_[i], nullptr);
}

void CatchInterrupts() {
  interrupted = 0;
  struct sigaction action = {};
  action.sa_handler = Note;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!IsIgnored(signal)) sigaction(signal, &action, nullptr);
  }
}

void ThrowIfInterrupted() {
  if (interrupted != 0) throw Interrupted();
}

void HoldInterrupts() {
  const sigset_t set = Interrupts();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void AwaitInterrupt() {
  const sigset_t set = Interrupts();
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
}

}  // namespace vggt
