// SPDX-License-Identifier: Apache-2.0
#include "render/fonts.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/error.h"
#include "core/memory_limit.h"

// The bytes of the font files, from font_data.cc, which src/render/CMakeLists.txt writes.
extern "C" {
extern const uint8_t vggt_font_regular_begin[];
extern const uint8_t vggt_font_regular_end[];
extern const uint8_t vggt_font_semibold_begin[];
extern const uint8_t vggt_font_semibold_end[];
}

// ThreadSanitizer asks a function of this name. How threads wait for each other within these
// libraries, which are not built with it, it does not see.
#ifdef VGGT_THREAD_SANITIZER
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
    "<rejectfont><glob>*/Inter-*.otf</glob><glob>*/Inter-*.ttf</glob><glob>*/Inter[*.ttf</glob>"
    "<glob>*/Inter V*.ttf</glob><glob>*/InterVariable*.ttf</glob><glob>*/Inter.ttc</glob>"
    "</rejectfont></selectfont></fontconfig>";

// Fontconfig and FreeType take fonts from files only, and open them again whenever they need them.
// A file in memory, which is left open, has a path and leaves nothing behind.
class FontFile {
 public:
  explicit FontFile(std::span<const uint8_t> font) : file_(memfd_create("font", MFD_CLOEXEC)) {
    if (file_ < 0) ThrowSystemError(errno, "memfd_create", "the font");
    for (size_t done = 0; done < font.size();) {
      const ssize_t wrote = write(file_, font.data() + done, font.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        const int error = errno;
        close(file_);
        ThrowSystemError(error, "write", "the font");
      }
      done += static_cast<size_t>(wrote);
    }
  }
  FontFile(const FontFile&) = delete;
  FontFile& operator=(const FontFile&) = delete;
  ~FontFile() {
    if (file_ >= 0) close(file_);
  }

  void AddTo(FcConfig* config) const {
    const std::string path = "/proc/self/fd/" + std::to_string(file_);
    if (FcConfigAppFontAddFile(config, reinterpret_cast<const FcChar8*>(path.c_str())) == FcFalse) {
      throw Error("cannot load the font that figures are drawn with", path,
                  "It is read through /proc, which has to be mounted.");
    }
  }
  void LeaveOpen() { file_ = -1; }

 private:
  int file_;
};

// What GLib cannot have ends the process: it is told before. Most is for threads that Pango starts,
// once; then figures need less.
constexpr uint64_t kRoomToBegin = uint64_t{256} << 20, kRoomForMore = uint64_t{96} << 20;

void CheckRoom(uint64_t needed) {
  const uint64_t left = AddressSpaceLeft();
  if (left >= needed) return;
  throw Error(
      fmt::format("drawing needs {} MB of addresses, and {} MB are left", needed >> 20, left >> 20),
      "", "Raise the limit of virtual memory (ulimit -v).");
}

struct FreeFonts {
  void operator()(FcConfig* config) const { FcConfigDestroy(config); }
};

// Keeps nothing if it fails: each figure tries again.
FcConfig* Load() {
  CheckRoom(kRoomToBegin);
  // Without a configuration, as in small containers, there is still our own font. FcInitLoadConfig
  // would print an error, and so would Pango, which asks for a current configuration.
  std::unique_ptr<FcConfig, FreeFonts> config(FcConfigCreate());
  if (config != nullptr && FcConfigParseAndLoad(config.get(), nullptr, FcFalse) == FcFalse) {
    config.reset();
  }
  if (config == nullptr) throw Error("cannot load the configuration of the system's fonts");
  FcStrList* const files = FcConfigGetConfigFiles(config.get());
  const bool configured = FcStrListNext(files) != nullptr;
  FcStrListDone(files);
  FcConfigParseAndLoadFromMemory(
      config.get(), reinterpret_cast<const FcChar8*>(static_cast<const char*>(kWithoutSystemInter)),
      FcFalse);
  FcConfigBuildFonts(config.get());
  FontFile regular({vggt_font_regular_begin, vggt_font_regular_end});
  FontFile semibold({vggt_font_semibold_begin, vggt_font_semibold_end});
  regular.AddTo(config.get());
  semibold.AddTo(config.get());
  if (!configured) FcConfigSetCurrent(config.get());
  regular.LeaveOpen();
  semibold.LeaveOpen();
  return config.release();
}

}  // namespace

FcConfig* AllFonts() {
  CheckRoom(kRoomForMore);
  static FcConfig* const fonts = Load();
  return fonts;
}

}  // namespace vggt
