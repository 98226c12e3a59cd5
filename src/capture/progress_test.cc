// SPDX-License-Identifier: Apache-2.0
#include "capture/progress.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "capture/capture_job.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TestDir;

CaptureOptions ThreePictures(const TestDir& dir) {
  CaptureOptions options;
  options.input =
      PictureFolder{.dir = testing::SourceDir() / "examples/demo/images", .num_images = 3};
  options.image_size = 28;
  options.output = dir / "out";
  return options;
}

class Listener : public CaptureProgress {
 public:
  void Note(const std::string& text) override {
    notes.push_back(text);
    Called();
  }
  void Begin(const std::string& stage) override {
    stages.push_back(stage);
    share = 0;
    Called();
  }
  void Update(double now, const std::string& where) override {
    EXPECT_GE(now, share);
    EXPECT_LE(now, 1);
    share = now;
    detail = where;
    Called();
  }
  void End() override {
    ended = true;
    Called();
  }

  std::vector<std::string> notes, stages;
  std::string detail;
  double share = 0;
  bool ended = false;

 private:
  void Called() const { EXPECT_EQ(std::this_thread::get_id(), thread_); }
  const std::thread::id thread_ = std::this_thread::get_id();
};

TEST(CaptureProgress, HearsStagesAndNotesOnTheJobsThread) {
  const TestDir dir;
  Listener listener;
  CaptureJob(ThreePictures(dir), &listener).Run();
  EXPECT_THAT(listener.stages,
              ElementsAre("reading pictures", "loading weights", "running the model"));
  EXPECT_THAT(listener.notes, Contains("taking 3 of 6 pictures, evenly spaced (`num_images`)"));
  EXPECT_THAT(listener.notes, Contains(HasSubstr("no `weights` given: using the bundled")));
  EXPECT_EQ(listener.detail, "layer 6 of 6");
  EXPECT_NEAR(listener.share, 1, 1e-9);
  EXPECT_TRUE(listener.ended);
}

// What is not overridden does nothing.
TEST(CaptureProgress, MayEndTheJob) {
  class Impatient : public CaptureProgress {
    void Update(double share, const std::string&) override {
      if (share > 0.5) throw Interrupted();
    }
  };
  const TestDir dir;
  Impatient impatient;
  EXPECT_THROW(CaptureJob(ThreePictures(dir), &impatient).Run(), Interrupted);
  EXPECT_TRUE(dir.empty());
}

}  // namespace
}  // namespace vggt
