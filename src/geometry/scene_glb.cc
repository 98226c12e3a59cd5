// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_glb.h"

#include <fmt/format.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"
#include "geometry/camera.h"

namespace vggt {
namespace {

constexpr int kFloat = 5126, kUnsignedShort = 5123, kArrayBuffer = 34962;
constexpr int kPoints = 0, kLines = 1;

// The pose of something in glTF's axes.
struct GlbPose {
  Eigen::Quaterniond rotation;
  Eigen::Vector3d translation;
};

// glTF's cameras look along -z, y up: half a turn about x from OpenCV's.
Eigen::Quaterniond HalfTurn() { return {0, 1, 0, 0}; }

Eigen::Quaterniond RotationQuaternion(const Camera& camera) {
  Eigen::Matrix3d rotation;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) rotation(i, j) = camera.rotation[i][j];
  }
  return Eigen::Quaterniond(rotation).normalized();
}

GlbPose WorldInFirst(const Camera& first) {
  const Eigen::Vector3d t(first.translation.data());
  return {HalfTurn() * RotationQuaternion(first), HalfTurn() * t};
}

GlbPose CameraInWorld(const Camera& camera) {
  const Vector3 centre = WorldFromCamera(camera, {0, 0, 0});
  return {RotationQuaternion(camera).conjugate() * HalfTurn(), Eigen::Vector3d(centre.data())};
}

void AddPose(const GlbPose& pose, OrderedJson& node) {
  const Eigen::Quaterniond q = pose.rotation.normalized();
  node["rotation"] = {q.x(), q.y(), q.z(), q.w()};
  node["translation"] = {pose.translation.x(), pose.translation.y(), pose.translation.z()};
}

uint16_t LinearLevel(uint8_t srgb) {
  const double c = srgb / 255.0;
  const double linear = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  return static_cast<uint16_t>(std::lround(65535 * linear));
}

double FrustumDepth(const SceneGeometry& scene, std::span<const CloudPoint> points) {
  std::vector<double> depths;
  for (const CloudPoint& point : points) {
    const Vector3 world = {point.position[0], point.position[1], point.position[2]};
    depths.push_back(
        CameraFromWorld(scene.views[static_cast<size_t>(point.frame)]->camera, world)[2]);
  }
  if (depths.empty()) return 0.1;
  const auto middle = depths.begin() + std::ssize(depths) / 2;
  std::nth_element(depths.begin(), middle, depths.end());
  return 0.1 * *middle;
}

bool IsFinite(const Vector3& at) {
  return std::all_of(at.begin(), at.end(), [](double x) { return std::isfinite(x); });
}

// Eight edges, in the camera's coordinates in glTF's axes.
std::vector<std::array<float, 3>> FrustumLines(const FrameView& view, double depth) {
  const double width = view.transform.model_width, height = view.transform.model_height;
  Camera plain = view.camera;
  plain.k1 = plain.k2 = plain.p1 = plain.p2 = 0;
  std::array<std::array<float, 3>, 4> corners{};
  const Point places[] = {{0, 0}, {width, 0}, {width, height}, {0, height}};
  for (size_t i = 0; i < 4; ++i) {
    Vector3 at = Lift(view.camera, places[i], depth);
    // Strong distortion may have no inverse in a corner.
    if (!IsFinite(at)) at = Lift(plain, places[i], depth);
    corners[i] = {static_cast<float>(at[0]), static_cast<float>(-at[1]),
                  static_cast<float>(-at[2])};
  }
  std::vector<std::array<float, 3>> lines;
  for (size_t i = 0; i < 4; ++i) {
    lines.insert(lines.end(), {{0, 0, 0}, corners[i], corners[i], corners[(i + 1) % 4]});
  }
  return lines;
}

// The binary part, and the JSON that tells of it.
class GlbBuilder {
 public:
  OrderedJson json = {{"asset", {{"version", "2.0"}, {"generator", "vggt-attn"}}},
                      {"extensionsUsed", OrderedJson::array({"KHR_materials_unlit"})},
                      {"scene", 0}};

  // The number of an accessor to three numbers each, with the bounds that glTF asks for.
  size_t AddPositions(std::span<const std::array<float, 3>> positions) {
    std::array<float, 3> least = positions[0], most = positions[0];
    for (const auto& at : positions) {
      for (size_t i = 0; i < 3; ++i) {
        least[i] = std::min(least[i], at[i]);
        most[i] = std::max(most[i], at[i]);
      }
    }
    AddView(positions.data(), positions.size_bytes(), 12);
    return AddAccessor({{"componentType", kFloat},
                        {"count", positions.size()},
                        {"type", "VEC3"},
                        {"min", least},
                        {"max", most}});
  }

  size_t AddColours(std::span<const std::array<uint16_t, 4>> colours) {
    AddView(colours.data(), colours.size_bytes(), 8);
    return AddAccessor({{"componentType", kUnsignedShort},
                        {"normalized", true},
                        {"count", colours.size()},
                        {"type", "VEC4"}});
  }

  size_t Add(const char* list, OrderedJson item) {
    json[list].push_back(std::move(item));
    return json[list].size() - 1;
  }

  void Write(const std::filesystem::path& path, AtomicOptions options) {
    if (!binary_.empty()) {
      OrderedJson buffer = {{"byteLength", binary_.size()}};
      json["buffers"] = OrderedJson::array({std::move(buffer)});
    }
    std::string text = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    text.resize((text.size() + 3) / 4 * 4, ' ');
    AtomicFile file(path, options);
    const size_t binary_chunk = binary_.empty() ? 0 : 8 + binary_.size();
    WriteWords(file, {kMagicWord, 2, 12 + 8 + text.size() + binary_chunk});
    WriteWords(file, {text.size(), kJsonWord});
    file.Write(BytesOf(text));
    if (!binary_.empty()) {
      WriteWords(file, {binary_.size(), kBinaryWord});
      file.Write(binary_);
    }
    file.Commit();
  }

 private:
  static constexpr size_t kMagicWord = 0x46546C67, kJsonWord = 0x4E4F534A, kBinaryWord = 0x004E4942;

  static void WriteWords(AtomicFile& file, std::initializer_list<size_t> words) {
    for (const size_t word : words) {
      const auto value = static_cast<uint32_t>(word);
      file.Write({reinterpret_cast<const uint8_t*>(&value), sizeof(value)});
    }
  }

  void AddView(const void* data, size_t bytes, int stride) {
    const size_t at = binary_.size();
    binary_.resize(at + bytes);
    std::memcpy(binary_.data() + at, data, bytes);
    Add("bufferViews", {{"buffer", 0},
                        {"byteOffset", at},
                        {"byteLength", bytes},
                        {"byteStride", stride},
                        {"target", kArrayBuffer}});
  }
  size_t AddAccessor(OrderedJson accessor) {
    accessor["bufferView"] = json["bufferViews"].size() - 1;
    return Add("accessors", std::move(accessor));
  }

  std::vector<uint8_t> binary_;
};

size_t AddUnlit(GlbBuilder& glb, const char* name, const std::array<double, 4>& colour) {
  return glb.Add("materials",
                 {{"name", name},
                  {"pbrMetallicRoughness",
                   {{"baseColorFactor", colour}, {"metallicFactor", 0}, {"roughnessFactor", 1}}},
                  {"extensions", {{"KHR_materials_unlit", OrderedJson::object()}}}});
}

size_t AddPointsNode(GlbBuilder& glb, std::span<const CloudPoint> points) {
  std::vector<std::array<float, 3>> positions;
  std::vector<std::array<uint16_t, 4>> colours;
  for (const CloudPoint& point : points) {
    positions.push_back(point.position);
    colours.push_back({LinearLevel(point.colour[0]), LinearLevel(point.colour[1]),
                       LinearLevel(point.colour[2]), 65535});
  }
  const size_t position = glb.AddPositions(positions), colour = glb.AddColours(colours);
  const size_t material = AddUnlit(glb, "points", {1, 1, 1, 1});
  const OrderedJson primitive = {{"attributes", {{"POSITION", position}, {"COLOR_0", colour}}},
                                 {"material", material},
                                 {"mode", kPoints}};
  const size_t mesh =
      glb.Add("meshes", {{"name", "points"}, {"primitives", OrderedJson::array({primitive})}});
  return glb.Add("nodes", {{"name", "points"}, {"mesh", mesh}});
}

size_t AddCameraNode(GlbBuilder& glb, const FrameView& view, const std::string& name, double depth,
                     size_t material) {
  const OrderedJson primitive = {
      {"attributes", {{"POSITION", glb.AddPositions(FrustumLines(view, depth))}}},
      {"material", material},
      {"mode", kLines}};
  const size_t mesh =
      glb.Add("meshes", {{"name", name}, {"primitives", OrderedJson::array({primitive})}});
  const double width = view.transform.model_width, height = view.transform.model_height;
  const size_t camera =
      glb.Add("cameras", {{"name", name},
                          {"type", "perspective"},
                          {"perspective",
                           {{"yfov", 2 * std::atan(height / 2 / view.camera.fy)},
                            {"aspectRatio", width * view.camera.fy / (height * view.camera.fx)},
                            {"znear", depth / 100}}}});
  OrderedJson node = {{"name", name}, {"mesh", mesh}, {"camera", camera}};
  AddPose(CameraInWorld(view.camera), node);
  return glb.Add("nodes", std::move(node));
}

}  // namespace

void WriteSceneGlb(const std::filesystem::path& path, const SceneGeometry& scene,
                   const FrameList& frames, std::span<const CloudPoint> points,
                   AtomicOptions options) {
  GlbBuilder glb;
  std::vector<size_t> children;
  if (!points.empty()) children.push_back(AddPointsNode(glb, points));
  const double depth = FrustumDepth(scene, points);
  std::optional<GlbPose> world;
  size_t material = 0;
  for (size_t frame = 0; frame < scene.views.size(); ++frame) {
    if (!scene.views[frame]) continue;
    if (!world) {
      world = WorldInFirst(scene.views[frame]->camera);
      material = AddUnlit(glb, "cameras", {0.9, 0.4, 0.1, 1});
    }
    std::string name = fmt::format("frame {}", frame);
    if (!frames.sources.empty()) name += " · " + SourceText(frames.sources[frame]);
    children.push_back(AddCameraNode(glb, *scene.views[frame], name, depth, material));
  }
  OrderedJson root = {{"name", scene.text.empty() ? "scene" : scene.text}};
  if (world) AddPose(*world, root);
  if (!children.empty()) root["children"] = children;
  OrderedJson all;
  all["nodes"] = OrderedJson::array({glb.Add("nodes", std::move(root))});
  glb.json["scenes"] = OrderedJson::array({std::move(all)});
  glb.Write(path, options);
}

}  // namespace vggt
