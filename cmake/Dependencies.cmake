# SPDX-License-Identifier: Apache-2.0
# Every outside library, found on the system; nothing is downloaded.

list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
# tools/setup.sh places oneDNN 3 in build-onednn/ where the system's is older.
option(VGGT_SYSTEM_ONEDNN "Use the system's oneDNN even if there is one in build-onednn/" OFF)
set(VGGT_BUNDLED_ONEDNN "")
if(EXISTS ${PROJECT_SOURCE_DIR}/build-onednn/installed.txt AND NOT VGGT_SYSTEM_ONEDNN AND NOT OneDNN_ROOT
   AND NOT DEFINED ENV{OneDNN_ROOT})
  set(VGGT_BUNDLED_ONEDNN ${PROJECT_SOURCE_DIR}/build-onednn)
  set(OneDNN_ROOT ${VGGT_BUNDLED_ONEDNN})
endif()
find_package(OneDNN REQUIRED)
find_package(fmt REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WebP REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
pkg_check_modules(deflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.75)
pkg_check_modules(cairo REQUIRED IMPORTED_TARGET cairo cairo-pdf cairo-svg)
pkg_check_modules(pango REQUIRED IMPORTED_TARGET pangocairo pangoft2 fontconfig)
# The font of figures, which becomes part of the program (Debian: fonts-inter).
find_file(VGGT_INTER_REGULAR Inter-Regular.otf PATHS /usr/local/share /usr/share PATH_SUFFIXES fonts/opentype/inter REQUIRED)
find_file(VGGT_INTER_SEMIBOLD Inter-SemiBold.otf PATHS /usr/local/share /usr/share PATH_SUFFIXES fonts/opentype/inter REQUIRED)

# Libraries that are used where they are there. vggt_optional(NAME WHAT TARGET PACKAGE) offers the option
# VGGT_WITH_NAME and, if TARGET exists by now, adds it to VGGT_OPTIONAL_LIBRARIES and VGGT_HAS_NAME to
# VGGT_OPTIONAL_DEFINITIONS.
pkg_check_modules(heif IMPORTED_TARGET libheif>=1.15)
pkg_check_modules(avif IMPORTED_TARGET libavif>=0.11)
pkg_check_modules(tiff IMPORTED_TARGET libtiff-4>=4.5)
find_package(GIF)
pkg_check_modules(video IMPORTED_TARGET libavformat>=59 libavcodec>=59 libavutil>=57 libswscale>=6)
function(vggt_optional NAME WHAT TARGET PACKAGE)
  option(VGGT_WITH_${NAME} "Read ${WHAT}, if ${PACKAGE} is installed" ON)
  if(VGGT_WITH_${NAME} AND TARGET ${TARGET})
    set(VGGT_OPTIONAL_LIBRARIES ${VGGT_OPTIONAL_LIBRARIES} ${TARGET} PARENT_SCOPE)
    set(VGGT_OPTIONAL_DEFINITIONS ${VGGT_OPTIONAL_DEFINITIONS} VGGT_HAS_${NAME} PARENT_SCOPE)
  else()
    message(STATUS "without ${WHAT}: VGGT_WITH_${NAME} is off or ${PACKAGE} is not installed")
  endif()
endfunction()
vggt_optional(HEIF HEIC PkgConfig::heif libheif-dev)
vggt_optional(AVIF AVIF PkgConfig::avif libavif-dev)
vggt_optional(TIFF TIFF PkgConfig::tiff libtiff-dev)
vggt_optional(GIF GIF GIF::GIF libgif-dev)
vggt_optional(VIDEO videos PkgConfig::video "libavformat-dev libswscale-dev")

find_program(NODE NAMES node nodejs REQUIRED)  # bundles the page of `vggt-attn view`
if(NOT EXISTS ${PROJECT_SOURCE_DIR}/web/node_modules)
  message(FATAL_ERROR "web/node_modules is missing: run tools/setup.sh, which installs what the "
                      "page is built with")
endif()
if(VGGT_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(VGGT_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
