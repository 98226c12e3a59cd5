// SPDX-License-Identifier: Apache-2.0
// Checkpoints that torch.save wrote (PyTorch 1.6 and later): a zip archive of one pickle, which
// describes the tensors, and one stored record for each storage.
#pragma once

#include <map>
#include <string>

#include "core/tensor.h"
#include "formats/zip.h"

namespace vggt {

// Every tensor in the archive's dictionaries, as a view into the file's mapping, within the bounds
// of its record. The name joins the keys on the way with ".": {"model": {"a.weight": t}} gives
// "model.a.weight". Whatever is neither dictionary nor tensor is passed over.
// Throws Error, distinct for TorchScript, .npz, other archives, compressed records, big-endian
// values, whole pickled models, and naming the tensor that does not fit its record.
std::map<std::string, TensorView> ReadTorchArchive(const ZipReader& zip);

}  // namespace vggt
