// SPDX-License-Identifier: Apache-2.0
// Whatever the file: metadata whose numbers agree, a store of tensors that can exist, an array of
// the size it announces, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "store/maps/array_file.h"
#include "store/maps/map_schema.h"
#include "store/qk/qk_schema.h"

namespace {

template <typename Body>
void Try(Body body) {
  try {
    body();
  } catch (const vggt::Error&) {
  }
}

void ReadMetadata(const std::string& text) {
  Try([&] { vggt::ParseManifest(text, "fuzz"); });
  const vggt::LayerMetadata m = vggt::ParseLayerMetadata(text, "fuzz");
  if (m.frames * m.H_ds * m.W_ds > vggt::kMostMapValues || m.num_heads > vggt::kMostHeads)
    std::abort();
  for (int head = 1; head <= m.num_heads; ++head) {
    const double vmax = vggt::HeadVmax(m, head);
    if (!(vmax >= 0 && vmax <= vggt::kMostVmax)) std::abort();
  }
}

void ReadStore(const std::string& text) {
  const vggt::QkDescription d = vggt::ParseQkDescription(text, "fuzz");
  for (const vggt::QkBlocks& blocks : d.blocks) {
    const vggt::Shape shape = d.shape(blocks);
    if (vggt::NumElements(shape) <= 0 || shape[1] > vggt::kMostTokens) std::abort();
  }
}

void ReadArray(const std::string& path) {
  constexpr uint64_t kMostBytes = 1 << 26;
  vggt::ArrayFile file(path, "heatmaps");
  if (file.data_size() > kMostBytes) return;
  if (file.deflated()) file = file.Inflated("/dev/shm");
  std::vector<uint8_t> values(file.data_size());
  file.Read(0, values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = memfd_create("export", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  Try([&] { ReadMetadata({reinterpret_cast<const char*>(data), size}); });
  Try([&] { ReadStore({reinterpret_cast<const char*>(data), size}); });
  Try([&] { ReadArray("/proc/self/fd/" + std::to_string(fd)); });
  return 0;
}
