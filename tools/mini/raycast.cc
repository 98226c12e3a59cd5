// SPDX-License-Identifier: Apache-2.0
// A small ray caster for scenes.py, called through ctypes: textured boxes, spheres, cylinders and
// cut-outs; gives the colour and the depth of every pixel.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace {

// A primitive is a row of floats: kind, rotation [3, 3], centre [3], half size [3], then for each
// face texture, u0, v0, texels a metre along u and v (scenes.py, class Scene).
constexpr int kRow = 48, kRotation = 1, kCentre = 10, kHalf = 13, kFaces = 16, kFaceSize = 5;
enum Kind { kBox, kSphere, kCylinder, kQuad };
constexpr float kNear = 1e-3f;  // metres: a ray does not hit what it starts on

struct Vec {
  float x, y, z;
};
inline Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline float Dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec Rotate(const float* m, Vec a) {
  return {m[0] * a.x + m[1] * a.y + m[2] * a.z, m[3] * a.x + m[4] * a.y + m[5] * a.z,
          m[6] * a.x + m[7] * a.y + m[8] * a.z};
}
inline Vec RotateBack(const float* m, Vec a) {
  return {m[0] * a.x + m[3] * a.y + m[6] * a.z, m[1] * a.x + m[4] * a.y + m[7] * a.z,
          m[2] * a.x + m[5] * a.y + m[8] * a.z};
}
inline float AwayFromZero(float x) { return std::fabs(x) < 1e-9f ? 1e-9f : x; }

// Mip pyramids of RGBA textures: row texture * levels + level of the table is offset, width,
// height.
struct Textures {
  const uint8_t* texels;
  const int64_t* table;
  int levels;
};

inline int Mirror(int i, int n) {
  i = std::abs(i) % (2 * n);
  return i < n ? i : 2 * n - 1 - i;
}

// Bilinear, from the level whose texels are as wide as `footprint` texels of level 0.
void Sample(const Textures& textures, int texture, float u, float v, float footprint,
            float rgba[4]) {
  const int level =
      std::clamp(int(std::lround(std::log2(std::max(footprint, 1e-3f)))), 0, textures.levels - 1);
  const int64_t* row = textures.table + 3 * (int64_t{texture} * textures.levels + level);
  const uint8_t* image = textures.texels + row[0];
  const int w = int(row[1]), h = int(row[2]);
  const float scale = 1.f / float(1 << level);
  u = u * scale - 0.5f, v = v * scale - 0.5f;
  const float fu = std::floor(u), fv = std::floor(v), a = u - fu, b = v - fv;
  const int x0 = Mirror(int(fu), w), x1 = Mirror(int(fu) + 1, w);
  const int y0 = Mirror(int(fv), h), y1 = Mirror(int(fv) + 1, h);
  const uint8_t *top_left = image + 4 * (int64_t{y0} * w + x0),
                *top_right = image + 4 * (int64_t{y0} * w + x1),
                *bottom_left = image + 4 * (int64_t{y1} * w + x0),
                *bottom_right = image + 4 * (int64_t{y1} * w + x1);
  for (int c = 0; c < 4; ++c)
    rgba[c] = (1 - b) * ((1 - a) * top_left[c] + a * top_right[c]) +
              b * ((1 - a) * bottom_left[c] + a * bottom_right[c]);
}

struct Hit {
  float t = 1e30f;
  int primitive = -1, face = 0;
  float a = 0, b = 0;  // metres on the face, from its centre
  Vec normal{0, 0, 1};
};

// Each Hit…: `from` and `to` are the ray in the primitive's own axes; true if it hits nearer than
// `hit`, which then holds everything but the primitive's number.

bool HitBox(const float* half, Vec from, Vec to, Hit& hit) {
  float t_in = -1e30f, t_out = 1e30f;
  int axis_in = 0, axis_out = 0;
  const float o[3] = {from.x, from.y, from.z}, d[3] = {to.x, to.y, to.z};
  for (int i = 0; i < 3; ++i) {
    const float inverse = 1.f / AwayFromZero(d[i]);
    float t0 = (-half[i] - o[i]) * inverse, t1 = (half[i] - o[i]) * inverse;
    if (t0 > t1) std::swap(t0, t1);
    if (t0 > t_in) t_in = t0, axis_in = i;
    if (t1 < t_out) t_out = t1, axis_out = i;
  }
  if (t_in > t_out || t_out < kNear) return false;
  const bool inside = t_in < kNear;
  const float t = inside ? t_out : t_in;
  if (t >= hit.t) return false;
  const int axis = inside ? axis_out : axis_in;
  const float p[3] = {o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]};
  float n[3] = {0, 0, 0};
  n[axis] = p[axis] > 0 ? 1.f : -1.f;
  hit.t = t, hit.face = 2 * axis + (p[axis] > 0);
  // Walls keep "up" vertical: y is the second texture axis wherever it can be.
  hit.a = axis == 0 ? p[2] : p[0], hit.b = axis == 1 ? p[2] : p[1];
  hit.normal = {n[0], n[1], n[2]};
  return true;
}

bool HitSphere(const float* half, Vec from, Vec to, Hit& hit) {
  const Vec e = {1 / half[0], 1 / half[1], 1 / half[2]};
  const Vec o = {from.x * e.x, from.y * e.y, from.z * e.z},
            d = {to.x * e.x, to.y * e.y, to.z * e.z};
  const float a = Dot(d, d), b = Dot(o, d), c = Dot(o, o) - 1, discriminant = b * b - a * c;
  if (discriminant < 0) return false;
  const float t = (-b - std::sqrt(discriminant)) / a;
  if (t < kNear || t >= hit.t) return false;
  const Vec p = {o.x + t * d.x, o.y + t * d.y, o.z + t * d.z};
  hit.t = t, hit.face = 0;
  hit.a = std::atan2(p.z, p.x) * half[0];
  hit.b = std::asin(std::clamp(p.y, -1.f, 1.f)) * half[1];
  hit.normal = {p.x * e.x, p.y * e.y, p.z * e.z};
  return true;
}

// About the y axis, with radius half[0] and caps.
bool HitCylinder(const float* half, Vec from, Vec to, Hit& hit) {
  bool found = false;
  const float r = half[0], a = to.x * to.x + to.z * to.z, b = from.x * to.x + from.z * to.z,
              c = from.x * from.x + from.z * from.z - r * r, discriminant = b * b - a * c;
  if (discriminant > 0 && a > 1e-9f) {
    const float t = (-b - std::sqrt(discriminant)) / a, y = from.y + t * to.y;
    if (t > kNear && t < hit.t && std::fabs(y) < half[1]) {
      const float x = from.x + t * to.x, z = from.z + t * to.z;
      hit.t = t, hit.face = 0, hit.a = std::atan2(z, x) * r, hit.b = y;
      hit.normal = {x, 0, z};
      found = true;
    }
  }
  const float cap = to.y > 0 ? -half[1] : half[1], t = (cap - from.y) / AwayFromZero(to.y);
  if (t > kNear && t < hit.t) {
    const float x = from.x + t * to.x, z = from.z + t * to.z;
    if (x * x + z * z < r * r) {
      hit.t = t, hit.face = 1, hit.a = x, hit.b = z, hit.normal = {0, cap, 0};
      found = true;
    }
  }
  return found;
}

// In the plane z = 0; where its texture is transparent the ray goes through.
bool HitQuad(const float* half, const float* face, Vec from, Vec to, float pixel,
             const Textures& textures, Hit& hit) {
  if (std::fabs(to.z) < 1e-9f) return false;
  const float t = -from.z / to.z;
  if (t < kNear || t >= hit.t) return false;
  const float x = from.x + t * to.x, y = from.y + t * to.y;
  if (std::fabs(x) > half[0] || std::fabs(y) > half[1]) return false;
  float rgba[4];
  Sample(textures, int(face[0]), face[1] + face[3] * x, face[2] + face[4] * y,
         t * pixel * std::fabs(face[3]), rgba);
  if (rgba[3] < 128) return false;
  hit.t = t, hit.face = 0, hit.a = x, hit.b = y, hit.normal = {0, 0, 1};
  return true;
}

// `pixel`: width of a pixel at distance 1.
Hit Trace(const float* primitives, int count, Vec from, Vec to, float pixel,
          const Textures& textures) {
  Hit hit;
  for (int i = 0; i < count; ++i) {
    const float *row = primitives + i * kRow, *half = row + kHalf;
    const Vec o =
        Rotate(row + kRotation, from - Vec{row[kCentre], row[kCentre + 1], row[kCentre + 2]});
    const Vec d = Rotate(row + kRotation, to);
    const int kind = int(row[0]);
    const bool nearer = kind == kBox      ? HitBox(half, o, d, hit)
                        : kind == kSphere ? HitSphere(half, o, d, hit)
                        : kind == kCylinder
                            ? HitCylinder(half, o, d, hit)
                            : HitQuad(half, row + kFaces, o, d, pixel, textures, hit);
    if (nearer) hit.primitive = i;
  }
  return hit;
}

// Adds the colour of what the ray `to` hit. light: direction towards it [3], ambient share.
void AddColour(const float* primitives, const Hit& hit, Vec to, float pixel, const float* light,
               const Textures& textures, float sum[3]) {
  const float* row = primitives + hit.primitive * kRow;
  const float* face = row + kFaces + kFaceSize * hit.face;
  const Vec normal = RotateBack(row + kRotation, hit.normal);
  const float length = std::sqrt(Dot(normal, normal)) + 1e-12f;
  const float slant =
      std::max(std::fabs(Dot(normal, to)) / (length * std::sqrt(Dot(to, to))), 0.1f);
  const float lambert = Dot(normal, {light[0], light[1], light[2]}) / length;
  const float lit = int(row[0]) == kQuad ? std::fabs(lambert) : 0.5f + 0.5f * lambert;
  const float shade = light[3] + (1 - light[3]) * lit;
  float rgba[4];
  Sample(textures, int(face[0]), face[1] + face[3] * hit.a, face[2] + face[4] * hit.b,
         0.8f * hit.t * pixel * std::fabs(face[3]) / std::sqrt(slant), rgba);
  for (int c = 0; c < 3; ++c) sum[c] += rgba[c] * shade;
}

}  // namespace

// camera: world-from-camera rotation [3, 3] (columns: right, down, forward), position [3], focal
// length and centre in pixels. samples: rays a pixel, 1 to 4. rgb: uint8 [height, width, 3]; depth:
// float [height, width], metres along the camera's axis through the pixels' centres, 1e30 where
// nothing is.
extern "C" void render(const float* primitives, int count, const uint8_t* texels,
                       const int64_t* table, int levels, const float* camera, const float* light,
                       int width, int height, int samples, uint8_t* rgb, float* depth) {
  const Textures textures{texels, table, levels};
  const Vec eye{camera[9], camera[10], camera[11]};
  const float f = camera[12], cx = camera[13], cy = camera[14];
  constexpr float kJitter[4][2] = {{-.25f, -.25f}, {.25f, .25f}, {-.25f, .25f}, {.25f, -.25f}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto ray = [&](float dx, float dy) {
        return Rotate(camera, {(x + .5f + dx - cx) / f, (y + .5f + dy - cy) / f, 1.f});
      };
      depth[y * width + x] = Trace(primitives, count, eye, ray(0, 0), 1 / f, textures).t;
      float sum[3] = {0, 0, 0};
      for (int s = 0; s < samples; ++s) {
        const Vec to = ray(kJitter[s][0], kJitter[s][1]);
        const Hit hit = Trace(primitives, count, eye, to, 1 / f, textures);
        if (hit.primitive >= 0) AddColour(primitives, hit, to, 1 / f, light, textures, sum);
      }
      for (int c = 0; c < 3; ++c)
        rgb[3 * (y * width + x) + c] = uint8_t(std::clamp(sum[c] / float(samples), 0.f, 255.f));
    }
}
