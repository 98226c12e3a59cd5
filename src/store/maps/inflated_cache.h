// SPDX-License-Identifier: Apache-2.0
// Keeps arrays open. Deflated ones are inflated once, into temporary files. These take a bounded
// part of the disk, however many exports share the cache.
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

// $TMPDIR if it is set, or else /var/tmp, which unlike /tmp never lies in memory.
std::filesystem::path DefaultCacheFolder();

// Any number of threads may use one cache at the same time.
class InflatedCache {
 public:
  // The most files that are kept open.
  static constexpr size_t kMostFiles = 128;
  static constexpr uint64_t kUsualBytes = 8ULL << 30;

  // The owner of an array, and the array's number among those of this owner.
  using Key = std::pair<const void*, size_t>;

  // Inflated arrays lie in `folder`, as files without a name. When they would take more than
  // `most_bytes`, those that were not used for longest are dropped; the space of one that is being
  // read is freed when nobody reads it any more. `way_out` is the hint of the error about an array
  // that is larger than `most_bytes`.
  InflatedCache(std::filesystem::path folder, uint64_t most_bytes, std::string way_out = "")
      : folder_(std::move(folder)), most_bytes_(most_bytes), way_out_(std::move(way_out)) {}

  // The array of `key`, ready to be read. If the cache does not hold it, `open` opens it. Threads
  // that want the same array wait for the first of them, and share its error. Throws Error if the
  // array is larger than the cache when it is inflated.
  std::shared_ptr<const ArrayFile> Get(const Key& key, const std::function<ArrayFile()>& open);

  // Drops the arrays of `owner`. Nobody may ask for one of them meanwhile.
  void Forget(const void* owner);

  uint64_t most_bytes() const { return most_bytes_; }

  // The bytes that inflated arrays take on the disk now.
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
