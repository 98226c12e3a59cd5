// SPDX-License-Identifier: Apache-2.0
// A deflater for arrays of levels (RFC 1951). Attention maps seldom repeat themselves but in runs,
// so it looks for runs only and spends its time on good codes: on maps it writes fewer bytes than
// libdeflate's fastest level in a fraction of the time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/file.h"

namespace vggt {

// Room that DeflatePiece needs for `size` bytes; the most of it that is used is a little less.
size_t DeflateBound(size_t size);

// Writes `piece` to `out`, DeflateBound(piece.size()) bytes, as deflate blocks that end on a byte
// boundary, and returns how many bytes they are. The pieces of an array, each deflated by itself,
// on any thread, stand one after another as one stream. Exactly the last piece is `last`.
size_t DeflatePiece(Bytes piece, bool last, uint8_t* out);

}  // namespace vggt
