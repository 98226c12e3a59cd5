// SPDX-License-Identifier: Apache-2.0
// EXIF orientation, which tells how a camera was held: reads it and turns pictures upright.
#pragma once

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// The orientation, 1 … 8, in a JPEG (APP1), PNG (eXIf) or WebP (EXIF) file, or in the container of
// an AVIF (irot, imir). Where Pillow's Image.getexif().get(0x0112) gives one of 1 … 8, it is the
// same. 1 if the file has no orientation or a damaged one, and for every other format, whose
// decoders give upright pictures. Never throws, so that broken EXIF does not keep a picture from
// being read.
int ExifOrientation(Bytes file);

// The picture turned by an EXIF orientation, as Pillow's ImageOps.exif_transpose does
// (core/frame_transform.h does the same to points). With orientation 1 it is returned unchanged;
// otherwise both pictures are in memory for a time.
Picture Turned(Picture picture, int orientation);

}  // namespace vggt
