# SPDX-License-Identifier: Apache-2.0
# cmake -DFOLDER=… -DTABLE=… -P EmbedAssets.cmake
# Writes a C++ file that makes each file in FOLDER part of the program (src/server/assets.h).
cmake_minimum_required(VERSION 3.25)

set(TYPE_html "text/html; charset=utf-8")
set(TYPE_js "text/javascript; charset=utf-8")
set(TYPE_css "text/css; charset=utf-8")
set(TYPE_txt "text/plain; charset=utf-8")
set(TYPE_svg "image/svg+xml")
set(TYPE_woff2 "font/woff2")

file(GLOB FILES LIST_DIRECTORIES false RELATIVE ${FOLDER} ${FOLDER}/*)
if(NOT "index.html" IN_LIST FILES)
  message(FATAL_ERROR "${FOLDER} holds no index.html")
endif()
set(NUMBER 0)
foreach(FILE IN LISTS FILES)
  string(REGEX REPLACE "^.*\\." "" EXTENSION ${FILE})
  if(NOT DEFINED TYPE_${EXTENSION})
    message(FATAL_ERROR "EmbedAssets.cmake knows no content type for ${FILE}")
  endif()
  file(SHA256 ${FOLDER}/${FILE} HASH)
  string(SUBSTRING ${HASH} 0 32 HASH)
  set(NAME vggt_asset_${NUMBER})
  string(APPEND BLOCKS "asm(\".pushsection .rodata\\n\"
    \".balign 16\\n\"
    \".global ${NAME}_begin\\n\"
    \"${NAME}_begin:\\n\"
    \".incbin \\\"${FOLDER}/${FILE}\\\"\\n\"
    \".global ${NAME}_end\\n\"
    \"${NAME}_end:\\n\"
    \".popsection\\n\");
extern \"C\" const uint8_t ${NAME}_begin[];
extern \"C\" const uint8_t ${NAME}_end[];

")
  string(APPEND ROWS "    {\"/${FILE}\", \"${TYPE_${EXTENSION}}\", \"\\\"${HASH}\\\"\",
     {${NAME}_begin, ${NAME}_end}},\n")
  math(EXPR NUMBER "${NUMBER} + 1")
endforeach()

file(WRITE ${TABLE} "// Written by cmake/EmbedAssets.cmake.
#include \"server/assets.h\"

${BLOCKS}namespace vggt {

std::span<const Asset> AllAssets() {
  static const Asset kAssets[] = {
${ROWS}  };
  return kAssets;
}

}  // namespace vggt
")
