// SPDX-License-Identifier: Apache-2.0
// Exports the attention of the bundled model on the pictures of a folder, with queries and keys.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>

#include "capture/capture_job.h"

namespace {

std::atomic<bool> stopped = false;

// What the job says while it runs; a job without one is silent.
class Display : public vggt::CaptureProgress {
  void Note(const std::string& text) override { std::printf("note: %s\n", text.c_str()); }
  void Begin(const std::string& stage) override { std::printf("%s\n", stage.c_str()); }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PICTURES OUTPUT\n", argv[0]);
    return 2;
  }
  std::signal(SIGINT, [](int) { stopped = true; });
  vggt::CaptureOptions options;
  options.input = vggt::PictureFolder{.dir = argv[1], .num_images = 6};
  options.output = argv[2];
  options.capture = {vggt::BlockKind::kGlobal};  // whose queries and keys are kept
  Display display;
  const vggt::StopCheck stop_check = [] {  // whatever it throws ends the job, and leaves nothing
    if (stopped) throw vggt::Interrupted();
  };
  try {
    const vggt::CaptureReport report = vggt::CaptureJob(options, &display, stop_check).Run();
    std::printf("%s: %ld pictures, %ld layers of %s\n", report.output.c_str(),
                static_cast<long>(report.pictures), static_cast<long>(report.layers),
                report.model.c_str());
  } catch (const std::exception& error) {  // what is wrong, where, and what to do
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
