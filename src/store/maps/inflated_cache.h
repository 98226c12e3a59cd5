// SPDX-License-Identifier: Apache-2.0
// Arrays kept open. Deflated ones are inflated once, into temporary files; how much of the disk
// these take is bounded, however many exports share the cache.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "store/maps/array_file.h"

namespace vggt {

// $TMPDIR, else /var/tmp, which unlike /tmp is never in memory.
std::filesystem::path DefaultCacheFolder();

// Any number of threads may use one cache at the same time.
class InflatedCache {
 public:
  // At most that many files are kept open.
  static constexpr size_t kMostFiles = 128;
  static constexpr uint64_t kUsualBytes = 8ULL << 30;

  // Who owns an array, and its number there.
  using Key = std::pair<const void*, size_t>;

  // `folder`: where inflated arrays lie, as files without a name. The least recently used are
  // dropped when they would take more than `most_bytes`, in addition to those just being read.
  // `way_out`: what to do about an array that is larger than that, for the error's hint.
  InflatedCache(std::filesystem::path folder, uint64_t most_bytes, std::string way_out = "")
      : folder_(std::move(folder)), most_bytes_(most_bytes), way_out_(std::move(way_out)) {}

  // The array of `key`, ready to be read; opened by `open` if it is not there. Threads that want
  // the same one wait for the first, and share its error. Throws Error if the array, inflated, is
  // larger than the cache.
  std::shared_ptr<const ArrayFile> Get(const Key& key, const std::function<ArrayFile()>& open);

  // Drops what `owner` has. None of it may be asked for meanwhile.
  void Forget(const void* owner);

  uint64_t most_bytes() const { return most_bytes_; }

  // Bytes on disk now.
  uint64_t bytes() const;

 private:
  struct Slot {
    bool done = false;
    std::shared_ptr<const ArrayFile> file;  // null until done, and after an error
    std::exception_ptr error;
    uint64_t bytes = 0;  // on disk, or promised
    uint64_t last_use = 0;
  };

  std::shared_ptr<const ArrayFile> Open(const std::function<ArrayFile()>& open, Slot& slot);
  void Reserve(uint64_t bytes, Slot& slot);
  bool DropOldest();

  const std::filesystem::path folder_;
  const uint64_t most_bytes_;
  const std::string way_out_;
  mutable std::mutex mutex_;  // for all below
  std::condition_variable changed_;
  std::map<Key, std::shared_ptr<Slot>> slots_;
  uint64_t bytes_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace vggt
