// SPDX-License-Identifier: Apache-2.0
#include "weights/bundled_model.h"

// The assembler includes the file, which is faster to build than an array in C++. VGGT_MINI_PATH is
// the file's path in the source tree.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".global vggt_mini_begin\n"
    "vggt_mini_begin:\n"
    ".incbin \"" VGGT_MINI_PATH
    "\"\n"
    ".global vggt_mini_end\n"
    "vggt_mini_end:\n"
    ".popsection\n");

extern "C" const uint8_t vggt_mini_begin[];
extern "C" const uint8_t vggt_mini_end[];

namespace vggt {

Bytes BundledModel() { return {vggt_mini_begin, vggt_mini_end}; }

}  // namespace vggt
