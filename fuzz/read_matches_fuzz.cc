// SPDX-License-Identifier: Apache-2.0
// Whatever a match file holds: points inside the pictures of the frames, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "geometry/match_file.h"

namespace {

// Two pictures of 70 x 56 pixels.
vggt::FrameList Frames() {
  vggt::FrameList frames;
  frames.frames = 2;
  frames.H_p = 4;
  frames.W_p = 5;
  frames.image_paths = {"frame_00.png", "frame_01.png"};
  frames.sources = {{"a.png", {}}, {"b.png", {}}};
  frames.transforms.assign(2, {70, 56, 70, 56, 0, 56, 0, 0, 70, 56});
  return frames;
}

bool IsInside(vggt::Point p) { return p.x >= 0 && p.x <= 70 && p.y >= 0 && p.y <= 56; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const vggt::FrameList frames = Frames();
  static const int fd = memfd_create("matches", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  try {
    for (const vggt::PointPair& pair :
         vggt::ReadMatchFile("/proc/self/fd/" + std::to_string(fd), frames)) {
      if (pair.frame_a + pair.frame_b != 1 || !IsInside(pair.a) || !IsInside(pair.b)) std::abort();
    }
  } catch (const vggt::Error&) {
  }
  return 0;
}
