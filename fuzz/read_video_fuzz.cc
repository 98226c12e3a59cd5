// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes: whole frames at ascending times, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "core/parallel.h"
#include "image/video.h"
#include "image/video_choice.h"

namespace {

void ReadFrames(const std::string& path) {
  vggt::Video video(path);
  const std::vector<double>& times = video.times();
  if (times.empty() || times[0] != 0 || !std::ranges::is_sorted(times)) std::abort();
  if (!(video.duration() >= times.back())) std::abort();
  for (const vggt::VideoChoice& choice :
       {vggt::VideoChoice{.num_images = 3}, vggt::VideoChoice{.fps = 7, .num_images = 9},
        vggt::VideoChoice{.every = 5, .num_images = 9}}) {
    const auto chosen = vggt::ChooseFrames(times, video.duration(), choice, path);
    if (chosen.empty() || chosen[0] != 0 || chosen.back() >= times.size()) std::abort();
    double last = -1;
    video.Read(chosen, [&](const vggt::VideoFrame& frame) {
      const vggt::Picture& picture = frame.picture;
      if (picture.width < 1 || picture.height < 1) std::abort();
      if (picture.rgb.size() != size_t{3} * picture.width * picture.height) std::abort();
      if (!(frame.seconds > last)) std::abort();
      last = frame.seconds;
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vggt::SetThreadCount(1);
  const int fd = memfd_create("video", 0);
  if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    ReadFrames("/proc/self/fd/" + std::to_string(fd));
  } catch (const vggt::Error&) {
  } catch (const std::bad_alloc&) {
  }
  close(fd);
  return 0;
}
