# SPDX-License-Identifier: Apache-2.0
# vggt_room(NAME [PROGRAM] UNITS u… ROOMS r… [ALONE u…] [INTERNAL u…] [PUBLIC lib…] [PRIVATE lib…]
#           [TEST_PRIVATE lib…])
#
# One static library of src/NAME: each unit is u.h, u.cc and u_test.cc. ROOMS are the rooms it may
# include (tools/check_rooms.py reads this list and holds it against the #includes). The tests of a room are
# one program, NAME_tests; ctest calls each case NAME/Suite.Case. A room inside a folder, as store/maps, is
# the target vggt_store_maps, and its tests are store_maps_tests. A unit of plain structs or templates is a
# header alone.
#
# Rooms and their headers are installed for find_package(vggt-attn), but for INTERNAL units, whose headers
# show types of other libraries, and for a room that belongs to the PROGRAM.
#
# Presets that say CMAKE_UNITY_BUILD compile all files of a room at once, which takes far less time: most of it
# goes to headers. ALONE are the units that cannot share: those that Highway compiles several times,
# and those whose public class holds a type of their anonymous namespace, which GCC warns of.

add_library(vggt_options INTERFACE)
# Warnings are errors where CMAKE_COMPILE_WARNING_AS_ERROR says so, as in all presets but release: a newer
# compiler's new warning must not stop a user.
target_compile_options(vggt_options INTERFACE -Wall -Wextra)
# GCC 12 sees overlaps in std::string concatenation that are not there (GCC bug 105651).
target_compile_options(vggt_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# Clang warns where it does not vectorise a loop that asks for it, as at -O1 under sanitizers.
target_compile_options(vggt_options INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
# Kernels ask for fused multiply-add by name; elsewhere the same source gives the same digits everywhere.
target_compile_options(vggt_options INTERFACE -ffp-contract=off)
# Libraries can become part of a Python module, and calls inside them are as fast as without.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_compile_options(vggt_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
if(VGGT_SANITIZE)
  target_compile_options(vggt_options INTERFACE -fsanitize=${VGGT_SANITIZE} -fno-sanitize-recover=all
                                                -fno-omit-frame-pointer)
  target_link_options(vggt_options INTERFACE -fsanitize=${VGGT_SANITIZE})
  if(VGGT_SANITIZE MATCHES address)
    target_compile_definitions(vggt_options INTERFACE VGGT_ADDRESS_SANITIZER)
  elseif(VGGT_SANITIZE MATCHES thread)
    target_compile_definitions(vggt_options INTERFACE VGGT_THREAD_SANITIZER)
  endif()
  # Highway's portable kernels round numbers beyond int32 by a cast.
  target_compile_options(
    vggt_options INTERFACE $<$<CXX_COMPILER_ID:Clang>:-fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/sanitizers.ignore>)
  # Most code takes longer to optimise than its tests save, but not that of the rooms that compute.
  set(ROOMS_TO_OPTIMISE core formats ops image attention render backend/cpu)
  # Kernels for four lanes are those for eight, compiled again: half of the time that ops takes.
  set(WITHOUT_TARGETS HWY_SSE4|HWY_SSSE3)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  # Kernels keep vectors in arrays and classes, which C++ has not for SVE's. Those of NEON run there, too.
  set(WITHOUT_TARGETS HWY_SVE|HWY_SVE_256|HWY_SVE2|HWY_SVE2_128)
endif()
if(WITHOUT_TARGETS)
  target_compile_definitions(vggt_options INTERFACE "HWY_DISABLED_TARGETS=(${WITHOUT_TARGETS})")
endif()

function(vggt_room NAME)
  cmake_parse_arguments(ARG "PROGRAM" "" "UNITS;ROOMS;ALONE;INTERNAL;PUBLIC;PRIVATE;TEST_PRIVATE" ${ARGN})
  list(TRANSFORM ARG_UNITS APPEND .h OUTPUT_VARIABLE HEADERS)
  set(SOURCES "")
  foreach(UNIT IN LISTS ARG_UNITS)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${UNIT}.cc)
      list(APPEND SOURCES ${UNIT}.cc)
    endif()
  endforeach()
  string(REPLACE / _ ROOM ${NAME})
  string(REPLACE / _ ROOM_TARGETS "${ARG_ROOMS}")
  list(TRANSFORM ROOM_TARGETS PREPEND vggt_)
  list(TRANSFORM ARG_ALONE APPEND .cc)
  set_source_files_properties(${ARG_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  add_library(vggt_${ROOM} STATIC ${SOURCES} ${HEADERS})
  set_target_properties(vggt_${ROOM} PROPERTIES EXPORT_NAME ${ROOM})
  target_compile_features(vggt_${ROOM} PUBLIC cxx_std_20)
  target_include_directories(
    vggt_${ROOM} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/vggt-attn>)
  target_link_libraries(vggt_${ROOM} PUBLIC ${ROOM_TARGETS} ${ARG_PUBLIC}
                        PRIVATE $<BUILD_INTERFACE:vggt_options> $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>
                                fmt::fmt ${ARG_PRIVATE})
  if(NAME IN_LIST ROOMS_TO_OPTIMISE)
    target_compile_options(vggt_${ROOM} PRIVATE -O2)
  endif()
  if(NOT ARG_PROGRAM)
    list(TRANSFORM ARG_INTERNAL APPEND .h)
    list(REMOVE_ITEM HEADERS ${ARG_INTERNAL})
    install(TARGETS vggt_${ROOM} EXPORT vggt-attn ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    foreach(HEADER IN LISTS HEADERS)
      cmake_path(GET HEADER PARENT_PATH FOLDER)
      install(FILES ${HEADER} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vggt-attn/${NAME}/${FOLDER})
    endforeach()
  endif()

  if(VGGT_BUILD_TESTS)
    list(TRANSFORM ARG_UNITS APPEND _test.cc OUTPUT_VARIABLE TESTS)
    add_executable(${ROOM}_tests ${TESTS})
    target_link_libraries(${ROOM}_tests PRIVATE vggt_${ROOM} vggt_testing vggt_options fmt::fmt nlohmann_json::nlohmann_json
                                               ${ARG_TEST_PRIVATE})
    if(NAME IN_LIST TESTS_TO_OPTIMISE)
      target_compile_options(${ROOM}_tests PRIVATE $<$<CONFIG:Release>:-O1>)
    else()
      target_compile_options(${ROOM}_tests PRIVATE -O0)
    endif()
    vggt_discover_tests(${ROOM}_tests ${NAME})
  endif()
endfunction()

# With AddressSanitizer a program takes longer to start than most of its tests to run.
function(vggt_discover_tests TARGET PREFIX)
  if(VGGT_SANITIZE MATCHES address)
    add_test(NAME ${PREFIX} COMMAND ${TARGET} --gtest_brief=1)
    set_tests_properties(${PREFIX} PROPERTIES TIMEOUT 1800)
    return()
  endif()
  gtest_discover_tests(${TARGET} TEST_PREFIX ${PREFIX}/ DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT 300)
endfunction()

if(VGGT_BUILD_TESTS)
  include(GoogleTest)
  # Golden files and a folder of its own for each test.
  add_library(vggt_testing INTERFACE)
  target_include_directories(vggt_testing INTERFACE ${PROJECT_SOURCE_DIR}/tests/support)
  target_compile_definitions(vggt_testing INTERFACE
                             VGGT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(vggt_testing INTERFACE GTest::gtest GTest::gmock GTest::gtest_main)
  # Other tests take longer to optimise than to run.
  set(TESTS_TO_OPTIMISE ops analysis figure)
endif()
