// SPDX-License-Identifier: Apache-2.0
// EXIF orientation: how a camera was held, and pictures turned upright accordingly.
#pragma once

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// The orientation, 1 … 8, that a JPEG (APP1), PNG (eXIf) or WebP (EXIF) file carries, or the
// container of an AVIF (irot, imir). 1 if it carries none, if what it carries is damaged, and for
// every other format: their decoders give upright pictures. Never an error: broken EXIF must not
// keep a picture from being read. Equals Image.getexif().get(0x0112) of Pillow, where this is one
// of 1 … 8 and stands there.
int ExifOrientation(Bytes file);

// The picture turned as Pillow's ImageOps.exif_transpose turns it (core/frame_transform.h has the
// points). Of orientation 1 it is given back as it is, otherwise two are in memory at the end.
Picture Turned(Picture picture, int orientation);

}  // namespace vggt
