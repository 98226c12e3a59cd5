// SPDX-License-Identifier: Apache-2.0
// make_video FILE MILLISECONDS…: a small video of frames that are shown at these times, each with
// its number in its pixels (support/video_testing.h). What the container is, the name says.
#include <cstdio>
#include <exception>
#include <string>

#include "video_testing.h"

int main(int argc, char** argv) {
  try {
    vggt::testing::TestVideo video;
    for (int i = 2; i < argc; ++i) video.times.push_back(std::stoll(argv[i]));
    vggt::testing::WriteVideo(argv[1], video);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_video: %s\n", error.what());
    return 1;
  }
}
