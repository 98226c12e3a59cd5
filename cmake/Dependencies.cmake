# SPDX-License-Identifier: Apache-2.0
# Every outside library, found on the system; nothing is downloaded.

list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
find_package(OneDNN REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WebP REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
pkg_check_modules(deflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
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
