// SPDX-License-Identifier: Apache-2.0
// Whether this machine runs a model in bfloat16.
#pragma once

namespace vggt {

// Whether both the processor and oneDNN multiply bfloat16 natively. Where they do not, bfloat16
// would be slower than float32, and the linear layers refuse it. oneDNN can be told to forgo it:
// ONEDNN_MAX_CPU_ISA in the environment.
bool MultipliesBf16();

}  // namespace vggt
