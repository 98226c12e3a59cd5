// SPDX-License-Identifier: Apache-2.0
#include "core/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

#include "core/error.h"

namespace vggt {
namespace fs = std::filesystem;

// A mapping as the signal handler knows it. Watches are never freed, only used again, so that the
// handler may walk their list at any moment without a lock.
struct MappedFile::Watch {
  std::atomic<uintptr_t> begin = 0;  // 0: free
  std::atomic<uintptr_t> end = 0;
  std::atomic<bool> damaged = false;
  Watch* next = nullptr;

  static void Install();
  static Watch* Take(uintptr_t begin, size_t size);
  static void OnBusError(int signal, siginfo_t* info, void* context);
  static void PassOn(int signal, siginfo_t* info, void* context);

  static inline std::atomic<Watch*> first = nullptr;
  static inline std::mutex mutex;  // of those who take one
  static inline struct sigaction before = {};
  static inline uintptr_t page_size = 0;
};

void MappedFile::Watch::Install() {
  page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  // SA_ONSTACK: as other handlers, such as Go's or Python's, ask of those they share a process
  // with.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &before);
}

MappedFile::Watch* MappedFile::Watch::Take(uintptr_t begin, size_t size) {
  const std::lock_guard lock(mutex);
  static std::once_flag installed;
  std::call_once(installed, Install);
  Watch* watch = first.load();
  while (watch != nullptr && watch->begin.load() != 0) watch = watch->next;
  if (watch == nullptr) {
    watch = new Watch;
    watch->next = first.load();
    first.store(watch);
  }
  watch->damaged.store(false);
  watch->end.store(begin + (size + page_size - 1) / page_size * page_size);
  watch->begin.store(begin);
  return watch;
}

// What cannot be read, and all that follows it, becomes zeros: one fault a mapping, however many
// pages are lost. Everything called here is a plain system call or a lock-free atomic.
void MappedFile::Watch::OnBusError(int signal, siginfo_t* info, void* context) {
  const int errno_before = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Watch* watch = first.load(); watch != nullptr && info->si_code > 0; watch = watch->next) {
    const uintptr_t begin = watch->begin.load(), end = watch->end.load();
    if (begin == 0 || address < begin || address >= end) continue;
    const uintptr_t within = address % page_size;
    void* zeros = mmap(static_cast<uint8_t*>(info->si_addr) - within, end - (address - within),
                       PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    watch->damaged.store(true);
    errno = errno_before;
    return;
  }
  errno = errno_before;
  PassOn(signal, info, context);
}

void MappedFile::Watch::PassOn(int signal, siginfo_t* info, void* context) {
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else {
    // Where a fault is the reason, the same instruction now ends the process.
    sigaction(SIGBUS, &before, nullptr);
    if (info->si_code <= 0) raise(signal);
  }
}

MappedFile::MappedFile(const fs::path& path)
    : file_(path), size_(static_cast<size_t>(file_.size())) {
  if (size_ == 0) return;
  void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_.fd(), 0);
  if (data == MAP_FAILED) ThrowSystemError(errno, "cannot map into memory", path.string());
  data_ = static_cast<const uint8_t*>(data);
  watch_ = Watch::Take(reinterpret_cast<uintptr_t>(data), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(watch_, other.watch_);
  return *this;
}

MappedFile::~MappedFile() {
  if (watch_ != nullptr) watch_->begin.store(0);
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

// In the page that the file ends in, the bytes behind its end read as zeros without a fault. So a
// cut within a page shows only in the file's size and date.
void MappedFile::CheckIntact() const {
  if (file_.fd() < 0) return;
  if (!file_.IsUnchanged() || (watch_ != nullptr && watch_->damaged.load())) {
    throw Error("was changed or truncated while it was read, or its disk failed", path().string(),
                "Copy it whole, then try again.");
  }
}

void MappedFile::Release(size_t offset, size_t size) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + size) / page * page;
  if (end > begin && end <= size_) {
    madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

}  // namespace vggt
