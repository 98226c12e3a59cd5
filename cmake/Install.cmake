# SPDX-License-Identifier: Apache-2.0
# find_package(vggt-attn) gives the targets vggt-attn::core, vggt-attn::model, …
include(CMakePackageConfigHelpers)
install(EXPORT vggt-attn NAMESPACE vggt-attn:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vggt-attn
        FILE vggt-attn-targets.cmake)
# oneDNN from build-onednn/ goes along; the system's is found on the system.
if(VGGT_BUNDLED_ONEDNN)
  set(FIND_ONEDNN "get_filename_component(VGGT_ONEDNN \${CMAKE_CURRENT_LIST_DIR}/../../vggt-attn/libdnnl.so.3 REALPATH)
if(NOT TARGET OneDNN::dnnl)
  add_library(OneDNN::dnnl SHARED IMPORTED)
  set_target_properties(OneDNN::dnnl PROPERTIES IMPORTED_LOCATION \${VGGT_ONEDNN} IMPORTED_SONAME libdnnl.so.3)
endif()")
  install(FILES ${VGGT_BUNDLED_ONEDNN}/lib/libdnnl.so.3 DESTINATION ${CMAKE_INSTALL_LIBDIR}/vggt-attn)
  install(DIRECTORY ${VGGT_BUNDLED_ONEDNN}/share/doc/onednn DESTINATION ${CMAKE_INSTALL_DOCDIR})
else()
  set(FIND_ONEDNN "list(APPEND CMAKE_MODULE_PATH \${CMAKE_CURRENT_LIST_DIR})
find_dependency(OneDNN)")
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vggt-attn)
endif()

# Of the optional libraries those that were used.
set(FIND_OPTIONAL "")
foreach(LIBRARY "heif libheif" "avif libavif" "tiff libtiff-4"
        "video libavformat libavcodec libavutil libswscale")
  string(REGEX MATCH "^([a-z]+) (.*)$" LIBRARY ${LIBRARY})
  if(PkgConfig::${CMAKE_MATCH_1} IN_LIST VGGT_OPTIONAL_LIBRARIES)
    string(APPEND FIND_OPTIONAL
           "pkg_check_modules(${CMAKE_MATCH_1} REQUIRED IMPORTED_TARGET ${CMAKE_MATCH_2})\n")
  endif()
endforeach()
if(GIF::GIF IN_LIST VGGT_OPTIONAL_LIBRARIES)
  string(APPEND FIND_OPTIONAL "find_dependency(GIF)\n")
endif()
file(WRITE ${PROJECT_BINARY_DIR}/vggt-attn-config.cmake
"include(CMakeFindDependencyMacro)
find_dependency(OpenMP COMPONENTS CXX)
find_dependency(Threads)
${FIND_ONEDNN}
find_dependency(fmt)
find_dependency(PNG)
find_dependency(JPEG)
find_dependency(PkgConfig)
pkg_check_modules(WebP REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
pkg_check_modules(deflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.75)
pkg_check_modules(cairo REQUIRED IMPORTED_TARGET cairo cairo-pdf cairo-svg)
pkg_check_modules(pango REQUIRED IMPORTED_TARGET pangocairo pangoft2 fontconfig)
${FIND_OPTIONAL}include(\${CMAKE_CURRENT_LIST_DIR}/vggt-attn-targets.cmake)
")
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vggt-attn-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vggt-attn-config.cmake
              ${PROJECT_BINARY_DIR}/vggt-attn-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vggt-attn)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/THIRD-PARTY.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
# So that --image_set_name demo works wherever the program is called.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples/demo
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/vggt-attn/examples)
