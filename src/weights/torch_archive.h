// SPDX-License-Identifier: Apache-2.0
// Reads checkpoints that torch.save wrote (PyTorch 1.6 and later). They are zip archives of one
// pickle, which describes the tensors, and one uncompressed record for each storage.
#pragma once

#include <map>
#include <string>

#include "core/tensor.h"
#include "formats/zip.h"

namespace vggt {

// Every tensor in the archive's dictionaries, as a view into the mapped file, checked to lie inside
// its record. Its name joins the keys on the way with ".": {"model": {"a.weight": t}} gives
// "model.a.weight". Values that are neither dictionaries nor tensors are skipped.
// Throws Error, with a text of its own for TorchScript, .npz, other archives, compressed records,
// big-endian values and whole pickled models; for a tensor that does not fit its record it names
// the tensor.
std::map<std::string, TensorView> ReadTorchArchive(const ZipReader& zip);

}  // namespace vggt
