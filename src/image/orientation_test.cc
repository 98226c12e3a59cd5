// SPDX-License-Identifier: Apache-2.0
#include "image/orientation.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using namespace std::string_literals;

// A number as `size` bytes.
std::string Number(uint32_t value, size_t size, bool big_endian) {
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += static_cast<char>(value >> 8 * (big_endian ? size - 1 - i : i));
  }
  return text;
}

struct Tag {
  uint32_t id = 0x0112, type = 3, count = 1, value = 6;
};

std::string Tiff(bool big_endian, const std::vector<Tag>& tags, uint32_t directory = 8) {
  const auto number = [&](uint32_t value, size_t size) { return Number(value, size, big_endian); };
  std::string text = (big_endian ? "MM\0*"s : "II*\0"s) + number(directory, 4);
  text += number(static_cast<uint32_t>(tags.size()), 2);
  for (const Tag& tag : tags) {
    text += number(tag.id, 2) + number(tag.type, 2) + number(tag.count, 4);
    const size_t size = tag.type == 3 ? 2 : 4;
    text += number(tag.value, size) + std::string(4 - size, '\0');
  }
  return text + number(0, 4);
}

std::string Jpeg(const std::string& exif) {
  const auto segment = [](char marker, const std::string& data) {
    return "\xFF"s + marker + Number(static_cast<uint32_t>(data.size() + 2), 2, true) + data;
  };
  return "\xFF\xD8" + segment('\xE0', "JFIF\0"s) + segment('\xE1', "http://ns.adobe.com/") +
         "\xFF" + segment('\xE1', "Exif\0\0"s + exif) + segment('\xDA', "");
}

std::string Png(const std::string& exif) {
  const auto chunk = [](const char* type, const std::string& data) {
    return Number(static_cast<uint32_t>(data.size()), 4, true) + type + data + "sums";
  };
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", "what it is") + chunk("IDAT", "pixels") +
         chunk("eXIf", exif) + chunk("IEND", "");
}

std::string Webp(const std::string& exif) {
  const auto chunk = [](const char* type, const std::string& data) {
    return type + Number(static_cast<uint32_t>(data.size()), 4, false) + data +
           std::string(data.size() % 2, '\0');
  };
  return "RIFF....WEBP" + chunk("VP8X", "flags") + chunk("VP8 ", "odd") + chunk("EXIF", exif);
}

constexpr std::string (*kContainers[])(const std::string&) = {Jpeg, Png, Webp};

int StoredOrientation(const std::string& file) { return ExifOrientation(AsBytes(file)); }

TEST(ExifOrientation, IsReadFromEachFormatInBothByteOrders) {
  for (const auto container : kContainers) {
    for (const bool big_endian : {false, true}) {
      for (uint32_t i = 1; i <= 8; ++i) {
        const std::string exif =
            Tiff(big_endian, {{.id = 0x010F, .type = 2}, {.value = i}, {.id = 0x0131}});
        EXPECT_EQ(StoredOrientation(container(exif)), static_cast<int>(i));
      }
    }
  }
  // Some programs write WebP so.
  EXPECT_EQ(StoredOrientation(Webp("Exif\0\0"s + Tiff(true, {{}}))), 6);
}

TEST(ExifOrientation, NumbersMayBeWiderButOnlyOne) {
  EXPECT_EQ(StoredOrientation(Jpeg(Tiff(true, {{.type = 4, .value = 8}}))), 8);
  EXPECT_EQ(StoredOrientation(Jpeg(Tiff(false, {{.type = 1, .value = 3}}))), 3);
  for (const Tag tag : {Tag{.type = 5}, Tag{.type = 0}, Tag{.count = 2}, Tag{.count = 0}}) {
    EXPECT_EQ(StoredOrientation(Jpeg(Tiff(true, {tag}))), 1);
  }
}

TEST(ExifOrientation, WhatIsBrokenMeansUpright) {
  for (const uint32_t value : {0U, 9U, 65535U}) {
    EXPECT_EQ(StoredOrientation(Png(Tiff(true, {{.value = value}}))), 1);
  }
  for (const uint32_t directory : {0U, 9U, 1000U, 0xFFFFFFFFU}) {
    EXPECT_EQ(StoredOrientation(Png(Tiff(false, {{}}, directory))), 1);
  }
  std::string other = Tiff(true, {{}});
  other[3] = '+';
  EXPECT_EQ(StoredOrientation(Webp(other)), 1);
  EXPECT_EQ(StoredOrientation(Webp("")), 1);
  EXPECT_EQ(StoredOrientation(""), 1);
  EXPECT_EQ(StoredOrientation(Tiff(true, {{}})),
            1);  // a TIFF itself comes upright from its decoder
}

// A file that is cut or changed anywhere gives a valid orientation, and 6 while the tag is whole.
TEST(ExifOrientation, AnyBytesAreSafe) {
  for (const auto container : kContainers) {
    const std::string file = container(Tiff(true, {{}}));
    for (size_t i = 0; i <= file.size(); ++i) {
      // A copy of exactly this size, so that the sanitizer sees reads beyond it.
      const std::vector<uint8_t> cut(file.begin(), file.begin() + static_cast<ptrdiff_t>(i));
      const int orientation = ExifOrientation(cut);
      EXPECT_TRUE(orientation == 6 || orientation == 1) << i;
      if (i == file.size()) continue;
      for (const char byte : {'\0', '\x7F', '\xFF'}) {
        std::string changed = file;
        changed[i] = byte;
        const int got = StoredOrientation(changed);
        EXPECT_TRUE(got >= 1 && got <= 8) << i;
      }
    }
  }
}

// What Pillow's ImageOps.exif_transpose gives for the pixels 1 2 3 / 4 5 6.
struct Expected {
  int width;
  std::vector<int> pixels;
};

TEST(Turned, EqualsPillow) {
  const Expected expected[] = {{3, {1, 2, 3, 4, 5, 6}}, {3, {3, 2, 1, 6, 5, 4}},
                               {3, {6, 5, 4, 3, 2, 1}}, {3, {4, 5, 6, 1, 2, 3}},
                               {2, {1, 4, 2, 5, 3, 6}}, {2, {4, 1, 5, 2, 6, 3}},
                               {2, {6, 3, 5, 2, 4, 1}}, {2, {3, 6, 2, 5, 1, 4}}};
  Picture picture{3, 2, {}};
  for (uint8_t i = 1; i <= 6; ++i) picture.rgb.insert(picture.rgb.end(), {i, 0, 9});
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto& [width, pixels] = expected[orientation - 1];
    const Picture turned = Turned(picture, orientation);
    EXPECT_EQ(turned.width, width);
    EXPECT_EQ(turned.height, 6 / width);
    ASSERT_EQ(turned.rgb.size(), 18U);
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(turned.rgb[3 * i], pixels[i]) << orientation;
      EXPECT_EQ(turned.rgb[3 * i + 2], 9);
    }
  }
}

TEST(Turned, PicturesLargerThanABlockAndThinOnes) {
  for (const auto& [width, height] : {std::pair{200, 131}, {1, 70}, {70, 1}, {1, 1}}) {
    Picture picture = BlankPicture(width, height, "p");
    for (size_t i = 0; i < picture.rgb.size(); ++i) picture.rgb[i] = static_cast<uint8_t>(i % 251);
    for (int orientation = 1; orientation <= 8; ++orientation) {
      // The two quarter turns (6 and 8) undo each other; every other orientation undoes itself.
      const int back = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
      EXPECT_EQ(Turned(Turned(picture, orientation), back).rgb, picture.rgb) << orientation;
    }
  }
}

}  // namespace
}  // namespace vggt
