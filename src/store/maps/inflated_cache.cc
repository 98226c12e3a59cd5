// SPDX-License-Identifier: Apache-2.0
#include "store/maps/inflated_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace vggt {

std::filesystem::path DefaultCacheFolder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

std::shared_ptr<const ArrayFile> InflatedCache::Get(const Key& key,
                                                    const std::function<ArrayFile()>& open) {
  std::unique_lock lock(mutex_);
  auto& place = slots_[key];
  if (place != nullptr) {
    const std::shared_ptr<Slot> slot = place;
    changed_.wait(lock, [&] { return slot->done; });
    if (slot->error != nullptr) std::rethrow_exception(slot->error);
    slot->last_use = ++uses_;
    return slot->file;
  }
  const auto slot = std::make_shared<Slot>();
  place = slot;
  slot->last_use = ++uses_;
  while (slots_.size() > kMostFiles && DropOldest()) {
  }
  lock.unlock();

  std::shared_ptr<const ArrayFile> file;
  std::exception_ptr error;
  try {
    file = Open(open, *slot);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  slot->file = file;
  slot->error = error;
  slot->done = true;
  if (error != nullptr) {
    bytes_ -= slot->bytes;
    slots_.erase(key);  // the next one tries again
  }
  changed_.notify_all();
  lock.unlock();
  if (error != nullptr) std::rethrow_exception(error);
  return file;
}

std::shared_ptr<const ArrayFile> InflatedCache::Open(const std::function<ArrayFile()>& open,
                                                     Slot& slot) {
  auto file = std::make_shared<ArrayFile>(open());
  if (file->deflated()) {
    Reserve(file->data_size() + kLongestNpyHeader, slot);
    *file = file->Inflated(folder_);
  }
  return file;
}

void InflatedCache::Reserve(uint64_t bytes, Slot& slot) {
  if (bytes > most_bytes_) {
    throw Error(fmt::format("a layer of {} does not fit the cache of {}",
                            HumanBytes(static_cast<double>(bytes)),
                            HumanBytes(static_cast<double>(most_bytes_))),
                "", way_out_);
  }
  std::unique_lock lock(mutex_);
  // Arrays that other threads are inflating cannot be dropped, but will soon be done.
  while (bytes_ + bytes > most_bytes_) {
    if (!DropOldest()) changed_.wait(lock);
  }
  slot.bytes = bytes;
  bytes_ += bytes;
}

bool InflatedCache::DropOldest() {
  auto oldest = slots_.end();
  for (auto it = slots_.begin(); it != slots_.end(); ++it) {
    if (it->second->done &&
        (oldest == slots_.end() || it->second->last_use < oldest->second->last_use)) {
      oldest = it;
    }
  }
  if (oldest == slots_.end()) return false;
  bytes_ -= oldest->second->bytes;
  slots_.erase(oldest);
  return true;
}

void InflatedCache::Forget(const void* owner) {
  const std::lock_guard lock(mutex_);
  std::erase_if(slots_, [&](const auto& item) {
    if (item.first.first != owner) return false;
    bytes_ -= item.second->bytes;
    return true;
  });
  changed_.notify_all();
}

uint64_t InflatedCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace vggt
