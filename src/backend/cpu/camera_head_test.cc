// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/camera_head.h"

#include <gmock/gmock.h>

#include <map>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "heads_testing.h"

namespace vggt {
namespace {

using testing::ExpectClose;
using testing::GoldenArray;
using testing::GoldenHeadsModel;
using testing::LoadGolden;

constexpr int64_t kCameraWidth = 32;

// The camera tokens [frames, width] of a tap [frames, tokens, width].
std::vector<float> CameraTokens(const GoldenArray& tap) {
  std::vector<float> tokens;
  for (int64_t f = 0; f < tap.shape[0]; ++f) {
    const auto first = tap.values.begin() + f * tap.shape[1] * kCameraWidth;
    tokens.insert(tokens.end(), first, first + kCameraWidth);
  }
  return tokens;
}

std::vector<float> Joined(const std::vector<std::vector<float>>& poses) {
  std::vector<float> all;
  for (const auto& pose : poses) all.insert(all.end(), pose.begin(), pose.end());
  return all;
}

TEST(CameraHead, EveryIntermediateEqualsTheTrace) {
  const GoldenHeadsModel golden;
  const CameraHead head(golden.checkpoint, golden.heads.prefix, *golden.heads.camera,
                        Precision::kF32);
  const auto tokens = CameraTokens(LoadGolden("pixels/trace.npz", "tap_4"));
  std::map<std::string, std::vector<float>> shown;
  const auto poses =
      head.Run(3, tokens.data(), {}, [&](const std::string& name, std::span<const float> x) {
        shown[name].assign(x.begin(), x.end());
      });
  EXPECT_EQ(shown.size(), 13U);
  for (const auto& [name, x] : shown) {
    ExpectClose(x, LoadGolden("pixels/trace.npz", "camera_head." + name).values, name);
  }
  ASSERT_EQ(poses.size(), 4U);
  ExpectClose(Joined(poses), LoadGolden("pixels/outputs.npz", "pose_enc_list").values, "poses");
}

// One frame, whose field of view begins below 0; two, the first of which ends there.
TEST(CameraHead, PosesEqualTheSpecification) {
  const GoldenHeadsModel golden;
  const CameraHead head(golden.checkpoint, "", *golden.heads.camera, Precision::kF32);
  for (const std::string name : {"tokens", "no_camera"}) {
    const GoldenArray tap = LoadGolden(name + "/inputs.npz", "layer_4");
    const auto poses = head.Run(tap.shape[0], CameraTokens(tap).data());
    const GoldenArray expected = LoadGolden(name + "/outputs.npz", "pose_enc_list");
    ExpectClose(Joined(poses), expected.values, name);
    for (size_t i = 0; i < expected.values.size(); ++i) {
      EXPECT_EQ(Joined(poses)[i] == 0, expected.values[i] == 0) << name << i;  // what the ReLU cut
    }
  }
}

TEST(CameraHead, Bf16ComesNear) {
  if (!MultipliesBf16()) GTEST_SKIP() << "no native bfloat16 here";
  const GoldenHeadsModel golden;
  const CameraHead head(golden.checkpoint, "", *golden.heads.camera, Precision::kBf16);
  const auto tokens = CameraTokens(LoadGolden("pixels/trace.npz", "tap_4"));
  ExpectClose(head.Run(3, tokens.data()).back(),
              LoadGolden("pixels/outputs.npz", "pose_enc").values, "pose_enc", 0.02);
}

TEST(CameraHead, NanIsHandedOn) {
  const GoldenHeadsModel golden;
  const CameraHead head(golden.checkpoint, "", *golden.heads.camera, Precision::kF32);
  const std::vector<float> tokens(kCameraWidth, std::nanf(""));
  const auto poses = head.Run(1, tokens.data());
  for (const float number : poses.back()) EXPECT_TRUE(std::isnan(number));
}

TEST(CameraHead, MayBeStopped) {
  const GoldenHeadsModel golden;
  const StopCheck stop = [] { throw testing::Cancelled(); };
  EXPECT_THROW(CameraHead(golden.checkpoint, "", *golden.heads.camera, Precision::kF32, stop),
               testing::Cancelled);
  const CameraHead head(golden.checkpoint, "", *golden.heads.camera, Precision::kF32);
  const std::vector<float> tokens(kCameraWidth, 1);
  EXPECT_THROW(head.Run(1, tokens.data(), stop), testing::Cancelled);
}

TEST(CameraHead, WeightsOfBlocksAreHalfAsLargeInBf16) {
  const CameraHeadSpec head = VggtCameraHead({}, "camera_head");
  EXPECT_NEAR(CameraHead::MemoryBytes(head, Precision::kF32), 216'174'610 * 4.0, 1);
  EXPECT_NEAR(CameraHead::MemoryBytes(head, Precision::kBf16),
              216'174'610 * 4.0 - 4 * 12 * 2048.0 * 2048 * 2, 1);
}

}  // namespace
}  // namespace vggt
