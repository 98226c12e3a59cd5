// SPDX-License-Identifier: Apache-2.0
#include "render/fonts.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <string>

#include "core/error.h"

// The bytes of the font files, from font_data.cc, which src/render/CMakeLists.txt writes.
extern "C" {
extern const uint8_t vggt_font_regular_begin[];
extern const uint8_t vggt_font_regular_end[];
extern const uint8_t vggt_font_semibold_begin[];
extern const uint8_t vggt_font_semibold_end[];
}

// For the sanitizers, which look for functions of these names. Fontconfig keeps addresses as
// distances from others, which the search for leaks cannot follow; and how threads wait for each
// other within these libraries, which are not built with ThreadSanitizer, it does not see.
#ifdef __SANITIZE_ADDRESS__
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig"; }
#endif
#ifdef __SANITIZE_THREAD__
extern "C" const char* __tsan_default_suppressions() {
  return "race:libcairo\nrace:libfontconfig\nrace:libfreetype\nrace:libglib\nrace:libharfbuzz\n"
         "race:libpango\nrace:libpixman";
}
#endif

namespace vggt {
namespace {

// The system's copy of the family may be of another version, so that figures would differ from
// machine to machine.
constexpr char kWithoutSystemInter[] =
    "<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'fonts.dtd'><fontconfig><selectfont>"
    "<rejectfont><glob>*/Inter*</glob></rejectfont></selectfont></fontconfig>";

// Fontconfig and FreeType take fonts from files only, and open them again whenever they need them.
// A file in memory, which is left open, has a path and leaves nothing behind.
std::string PathOf(std::span<const uint8_t> font) {
  const int file = memfd_create("font", MFD_CLOEXEC);
  if (file < 0) ThrowSystemError(errno, "memfd_create", "the font");
  for (size_t done = 0; done < font.size();) {
    const ssize_t wrote = write(file, font.data() + done, font.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) ThrowSystemError(errno, "write", "the font");
    done += static_cast<size_t>(wrote);
  }
  return "/proc/self/fd/" + std::to_string(file);
}

void Add(FcConfig* config, std::span<const uint8_t> font) {
  const std::string path = PathOf(font);
  if (FcConfigAppFontAddFile(config, reinterpret_cast<const FcChar8*>(path.c_str())) == FcFalse) {
    throw Error("cannot load the font that figures are drawn with", path,
                "It is read through /proc, which has to be mounted.");
  }
}

FcConfig* Load() {
  FcConfig* config = FcInitLoadConfig();
  if (config == nullptr) throw Error("cannot load the configuration of the system's fonts");
  FcConfigParseAndLoadFromMemory(
      config, reinterpret_cast<const FcChar8*>(static_cast<const char*>(kWithoutSystemInter)),
      FcFalse);
  FcConfigBuildFonts(config);
  Add(config, {vggt_font_regular_begin, vggt_font_regular_end});
  Add(config, {vggt_font_semibold_begin, vggt_font_semibold_end});
  return config;
}

}  // namespace

FcConfig* AllFonts() {
  static FcConfig* const fonts = Load();
  return fonts;
}

}  // namespace vggt
