# SPDX-License-Identifier: Apache-2.0
# Target OneDNN::dnnl. The package's own dnnl-config.cmake asks for OpenCL headers that only GPU users need.

# What was found before is looked for again where a root is given, and where that has gone.
if(OneDNN_LIBRARY AND (NOT EXISTS "${OneDNN_LIBRARY}" OR NOT "${OneDNN_ROOT}" STREQUAL "${OneDNN_FOUND_IN}"))
  unset(OneDNN_LIBRARY CACHE)
  unset(OneDNN_INCLUDE_DIR CACHE)
endif()
set(OneDNN_FOUND_IN "${OneDNN_ROOT}" CACHE INTERNAL "The root that OneDNN_LIBRARY was looked for in")
find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
find_library(OneDNN_LIBRARY dnnl)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR)
if(OneDNN_FOUND AND NOT TARGET OneDNN::dnnl)
  add_library(OneDNN::dnnl UNKNOWN IMPORTED)
  set_target_properties(OneDNN::dnnl PROPERTIES IMPORTED_LOCATION ${OneDNN_LIBRARY}
                                                INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR})
endif()
