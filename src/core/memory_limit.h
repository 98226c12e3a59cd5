// SPDX-License-Identifier: Apache-2.0
// How much memory this process may use before the kernel ends it.
#pragma once

#include <cstdint>
#include <filesystem>

namespace vggt {

// The limit in bytes: the least of the machine's memory and the limits of the control groups that
// this process runs in, which is how containers are limited (version 2's memory.max, version 1's
// memory.limit_in_bytes). `root` is the folder in which proc/ and sys/ are looked for.
uint64_t MemoryLimit(const std::filesystem::path& root = "/");

// How many bytes of addresses this process may still take (`ulimit -v`), whether there is memory
// behind them or not; UINT64_MAX without a limit.
uint64_t AddressSpaceLeft();

}  // namespace vggt
