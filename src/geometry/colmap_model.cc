// SPDX-License-Identifier: Apache-2.0
#include "geometry/colmap_model.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/file.h"

namespace vggt {
namespace {

constexpr uint64_t kMostFileBytes = uint64_t{4} << 30;
constexpr uint64_t kMostSide = 1'000'000;
constexpr size_t kMostName = 1000;

// The models that are known, by COLMAP's number. Parameters: focal lengths, the principal point,
// distortion.
struct CameraModel {
  int id;
  const char* name;
  size_t focal_lengths, distortions;

  size_t parameters() const { return focal_lengths + 2 + distortions; }
};
constexpr CameraModel kCameraModels[] = {{0, "SIMPLE_PINHOLE", 1, 0},
                                         {1, "PINHOLE", 2, 0},
                                         {2, "SIMPLE_RADIAL", 1, 1},
                                         {3, "RADIAL", 1, 2},
                                         {4, "OPENCV", 2, 4}};

[[noreturn]] void RefuseModel(const std::string& model, const std::string& where) {
  throw Error(
      fmt::format("camera model {} is not read", Printable(model)), where,
      "Undistort the pictures with `colmap image_undistorter`, and export and match those.");
}

const CameraModel& ModelOf(int64_t id, const std::string& where) {
  for (const CameraModel& model : kCameraModels) {
    if (model.id == id) return model;
  }
  RefuseModel(fmt::format("number {}", id), where);
}

const CameraModel& ModelOf(const std::string& name, const std::string& where) {
  for (const CameraModel& model : kCameraModels) {
    if (model.name == name) return model;
  }
  RefuseModel(name, where);
}

Camera CameraOf(const CameraModel& model, const std::vector<double>& parameters) {
  Camera camera;
  const double* next = parameters.data();
  camera.fx = *next++;
  camera.fy = model.focal_lengths == 2 ? *next++ : camera.fx;
  camera.cx = *next++;
  camera.cy = *next++;
  double* const distortions[] = {&camera.k1, &camera.k2, &camera.p1, &camera.p2};
  for (size_t i = 0; i < model.distortions; ++i) *distortions[i] = *next++;
  return camera;
}

// Of a quaternion (w, x, y, z) of any length above 0.
Matrix3 RotationOf(const std::array<double, 4>& quaternion, const std::string& where) {
  auto [w, x, y, z] = quaternion;
  const double length = std::sqrt(w * w + x * x + y * y + z * z);
  if (!(length > 1e-6 && std::isfinite(length))) {
    throw Error("a picture's rotation is no quaternion", where);
  }
  w /= length, x /= length, y /= length, z /= length;
  return {{{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
           {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
           {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}}};
}

// Puts a model together from what text and binary files tell alike.
class ModelBuilder {
 public:
  void AddCamera(uint64_t id, const CameraModel& model, uint64_t width, uint64_t height,
                 const std::vector<double>& parameters) {
    if (width < 1 || height < 1 || width > kMostSide || height > kMostSide) {
      throw Error(fmt::format("a picture of {} x {} pixels", width, height), where());
    }
    ColmapImage image;
    image.width = static_cast<int64_t>(width);
    image.height = static_cast<int64_t>(height);
    image.camera = CameraOf(model, parameters);
    CheckCamera(image.camera, where());
    if (!cameras_.emplace(id, std::move(image)).second) {
      throw Error(fmt::format("camera {} is there twice", id), where());
    }
  }

  void AddImage(uint64_t id, const std::array<double, 4>& quaternion, const Vector3& translation,
                uint64_t camera, const std::string& name) {
    const auto found = cameras_.find(camera);
    if (found == cameras_.end()) {
      throw Error(fmt::format("a picture was taken with camera {}, which is not there", camera),
                  where());
    }
    if (name.empty() || name.size() > kMostName) throw Error("a picture has no name", where());
    ColmapImage image = found->second;
    image.name = name;
    image.camera.rotation = RotationOf(quaternion, where());
    image.camera.translation = translation;
    CheckCamera(image.camera, where());
    if (!images_.emplace(id, model.images.size()).second) {
      throw Error(fmt::format("image {} is there twice", id), where());
    }
    model.images.push_back(std::move(image));
  }

  // To the last image.
  void AddFeature(double x, double y) {
    CheckFinite({x, y, 0});
    model.images.back().points.push_back({x, y});
  }

  void AddPoint(const Vector3& world) {
    CheckFinite(world);
    model.points.push_back({world, {}});
  }

  // To the last point.
  void AddObservation(uint64_t image, uint64_t point) {
    const auto found = images_.find(image);
    if (found == images_.end()) {
      throw Error(fmt::format("a point is seen in image {}, which is not there", image), where());
    }
    const size_t points = model.images[found->second].points.size();
    if (point >= points) {
      throw Error(
          fmt::format("a point is feature {} of image {}, which has {}", point, image, points),
          where());
    }
    model.points.back().track.push_back({found->second, static_cast<size_t>(point)});
  }

  ColmapModel model;
  std::function<std::string()> where;  // what was added stands, for errors

 private:
  void CheckFinite(const Vector3& values) const {
    for (const double value : values) {
      if (!std::isfinite(value)) throw Error("a coordinate is no finite number", where());
    }
  }

  std::map<uint64_t, ColmapImage> cameras_;  // without name, pose and points
  std::map<uint64_t, size_t> images_;
};

// The words of a text, line by line; what stands after a # is left out, and so is a byte order mark
// at the beginning.
class TextLines {
 public:
  explicit TextLines(const std::filesystem::path& path)
      : name_(path.string()),
        text_(ReadFile(path, kMostFileBytes)),
        at_(text_.starts_with("\xEF\xBB\xBF") ? 3 : 0) {}

  // Goes to the next line, even if it is empty. False at the end of the file.
  bool Next() {
    if (at_ >= text_.size()) return false;
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    line_ = std::string_view(text_).substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    return true;
  }
  // Goes to the next line that says something.
  bool NextFilled() {
    while (Next()) {
      if (!AtEnd() && line_.front() != '#') return true;
    }
    return false;
  }

  bool AtEnd() {
    const size_t first = line_.find_first_not_of(" \t\r");
    line_.remove_prefix(std::min(first, line_.size()));
    return line_.empty();
  }
  std::string_view Word() {
    if (AtEnd()) Fail("the line ends early");
    const size_t size = std::min(line_.find_first_of(" \t\r"), line_.size());
    const std::string_view word = line_.substr(0, size);
    line_.remove_prefix(size);
    return word;
  }
  // The rest of the line: names may hold spaces.
  std::string Rest() {
    AtEnd();
    const size_t last = line_.find_last_not_of(" \t\r");
    return std::string(line_.substr(0, last + 1));  // npos + 1 is 0
  }
  template <typename T>
  T Number() {
    const std::string_view word = Word();
    T value{};
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (problem != std::errc() || end != word.data() + word.size()) {
      Fail(fmt::format("'{}' is not the number that should stand there",
                       Printable(std::string(word))));
    }
    return value;
  }

  std::string Where() const { return fmt::format("{}, line {}", name_, number_); }
  [[noreturn]] void Fail(const std::string& problem) const { throw Error(problem, Where()); }

 private:
  std::string name_, text_;
  std::string_view line_;
  size_t at_;
  int64_t number_ = 0;
};

template <size_t kCount>
std::array<double, kCount> TextNumbers(TextLines& lines) {
  std::array<double, kCount> out;
  for (double& value : out) value = lines.Number<double>();
  return out;
}

void ReadText(const std::filesystem::path& folder, ModelBuilder& builder) {
  TextLines cameras(folder / "cameras.txt");
  builder.where = [&] { return cameras.Where(); };
  while (cameras.NextFilled()) {
    const auto id = cameras.Number<uint64_t>();
    const CameraModel& model = ModelOf(std::string(cameras.Word()), cameras.Where());
    const auto width = cameras.Number<uint64_t>(), height = cameras.Number<uint64_t>();
    std::vector<double> parameters(model.parameters());
    for (double& value : parameters) value = cameras.Number<double>();
    if (!cameras.AtEnd()) cameras.Fail(fmt::format("{} has fewer parameters", model.name));
    builder.AddCamera(id, model, width, height, parameters);
  }
  TextLines images(folder / "images.txt");
  builder.where = [&] { return images.Where(); };
  while (images.NextFilled()) {
    const auto id = images.Number<uint64_t>();
    const auto quaternion = TextNumbers<4>(images);
    const auto translation = TextNumbers<3>(images);
    const auto camera = images.Number<uint64_t>();
    builder.AddImage(id, quaternion, translation, camera, images.Rest());
    if (!images.Next()) continue;  // the features, on a line of their own, which may be empty
    while (!images.AtEnd()) {
      const auto place = TextNumbers<2>(images);
      images.Number<int64_t>();  // the point: points3D tells the same
      builder.AddFeature(place[0], place[1]);
    }
  }
  TextLines points(folder / "points3D.txt");
  builder.where = [&] { return points.Where(); };
  while (points.NextFilled()) {
    points.Number<uint64_t>();  // its number
    builder.AddPoint(TextNumbers<3>(points));
    TextNumbers<4>(points);  // colour and error
    while (!points.AtEnd()) {
      const auto image = points.Number<uint64_t>(), feature = points.Number<uint64_t>();
      builder.AddObservation(image, feature);
    }
  }
}

template <size_t kCount>
std::array<double, kCount> BinaryNumbers(Cursor& cursor, const char* what) {
  std::array<double, kCount> out;
  for (double& value : out) value = cursor.Read<double>(what);
  return out;
}

// How many records follow; each has at least `least` bytes, so that no loop outruns the file.
// `what`: these, in the plural.
uint64_t BinaryCount(Cursor& cursor, size_t least, const char* what) {
  const auto count = cursor.Read<uint64_t>(what);
  if (count > cursor.left() / least) {
    std::string_view noun = what;
    if (count == 1) noun.remove_suffix(1);
    cursor.Fail(fmt::format("{} {} {} not fit the bytes that are left", count, noun,
                            count == 1 ? "does" : "do"));
  }
  return count;
}

std::string BinaryName(Cursor& cursor) {
  std::string name;
  for (;;) {
    const char next = cursor.Read<char>("a picture's name");
    if (next == 0) return name;
    if (name.size() == kMostName) cursor.Fail("a picture's name has no end");
    name += next;
  }
}

void ReadBinary(const std::filesystem::path& folder, ModelBuilder& builder) {
  const auto read = [&](const char* file, auto body) {
    const std::string source = (folder / file).string();
    const std::string bytes = ReadFile(folder / file, kMostFileBytes);
    Cursor cursor(BytesOf(bytes), source);
    builder.where = [&] { return source; };
    body(cursor, source);
    if (cursor.left() > 0) cursor.Fail("more bytes follow than the model has");
  };
  read("cameras.bin", [&](Cursor& cursor, const std::string& source) {
    for (uint64_t left = BinaryCount(cursor, 24 + 3 * 8, "cameras"); left > 0; --left) {
      const auto id = cursor.Read<uint32_t>("a camera's number");
      const CameraModel& model = ModelOf(int64_t{cursor.Read<int32_t>("a camera's model")}, source);
      const auto width = cursor.Read<uint64_t>("a width"),
                 height = cursor.Read<uint64_t>("a height");
      std::vector<double> parameters(model.parameters());
      for (double& value : parameters) value = cursor.Read<double>("a camera's parameter");
      builder.AddCamera(id, model, width, height, parameters);
    }
  });
  read("images.bin", [&](Cursor& cursor, const std::string&) {
    for (uint64_t left = BinaryCount(cursor, 73, "pictures"); left > 0; --left) {
      const auto id = cursor.Read<uint32_t>("a picture's number");
      const auto quaternion = BinaryNumbers<4>(cursor, "a rotation");
      const auto translation = BinaryNumbers<3>(cursor, "a translation");
      const auto camera = cursor.Read<uint32_t>("a camera's number");
      builder.AddImage(id, quaternion, translation, camera, BinaryName(cursor));
      for (uint64_t features = BinaryCount(cursor, 24, "features"); features > 0; --features) {
        const auto place = BinaryNumbers<2>(cursor, "a feature");
        cursor.Read<int64_t>("a feature's point");  // points3D tells the same
        builder.AddFeature(place[0], place[1]);
      }
    }
  });
  read("points3D.bin", [&](Cursor& cursor, const std::string&) {
    for (uint64_t left = BinaryCount(cursor, 51, "points"); left > 0; --left) {
      cursor.Read<uint64_t>("a point's number");
      builder.AddPoint(BinaryNumbers<3>(cursor, "a point"));
      cursor.Take(3 + 8, "a point's colour and error");
      for (uint64_t seen = BinaryCount(cursor, 8, "observations"); seen > 0; --seen) {
        const auto image = cursor.Read<uint32_t>("an observation");
        const auto feature = cursor.Read<uint32_t>("an observation");
        builder.AddObservation(image, feature);
      }
    }
  });
}

bool IsThere(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

bool HoldsColmapModel(const std::filesystem::path& folder) {
  return IsThere(folder / "cameras.bin") || IsThere(folder / "cameras.txt");
}

ColmapModel ReadColmapModel(const std::filesystem::path& folder) {
  ModelBuilder builder;
  if (IsThere(folder / "cameras.bin")) {
    ReadBinary(folder, builder);
  } else {
    ReadText(folder, builder);
  }
  return std::move(builder.model);
}

}  // namespace vggt
