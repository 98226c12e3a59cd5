// SPDX-License-Identifier: Apache-2.0
// What was computed of a layer's attention, kept beside its queries and keys, so that a report, and
// the page when it is opened again, need not compute it twice.
#pragma once

#include <filesystem>
#include <optional>

#include "analysis/layer_statistics.h"

namespace vggt {

// One more whenever a number of LayerStatistics is computed in another way: what was kept before is
// computed afresh.
inline constexpr int kStatisticsVersion = 2;

// Multiply-adds of a pass over all layers of a store (StatisticsProducts) for which nobody has to
// choose a sample: all rows of five 350×518 pictures through VGGT-1B. Whoever has no reason for
// another sample takes RowsWithin(description, kUsualProducts), so that all find what one has kept.
inline constexpr double kUsualProducts = 2e12;

// The rows that somebody asks for: so many patch queries of each picture, 0 all; absent: the usual
// ones.
RowSample SampleFor(const QkDescription& description, std::optional<int64_t> rows);

// Where the statistics of a layer are kept: "qk/statistics_global_01.safetensors" if the sample is
// the usual one, RowsWithin(description, kUsualProducts), so that nothing else takes their place;
// all others share "qk/statistics_rows_global_01.safetensors". Each array of LayerStatistics is a
// tensor of its name there. `layer` is a place in the layers of that kind.
std::filesystem::path StatisticsPath(const QkStore& store, BlockKind kind, size_t layer,
                                     const RowSample& sample);

// What is kept of that layer, bit for bit as it was computed; none if there is nothing, or if it
// does not fit: it is damaged, was made by another version, of another sample or another store, or
// the layer's file is another now. That file is the same if its size and the time when it was last
// written to are, or else its content: copies often have a new time.
std::optional<LayerStatistics> ReadStatistics(const QkStore& store, BlockKind kind, size_t layer,
                                              const RowSample& sample);

// Keeps what was computed of a layer, in the place of what was kept there before, unless that is of
// more rows of the same layer's file. It is no error if that cannot be written.
void KeepStatistics(const QkStore& store, BlockKind kind, size_t layer,
                    const LayerStatistics& statistics);

// ReadStatistics, or else ComputeLayerStatistics, whose errors it has, and KeepStatistics.
LayerStatistics StatisticsOf(const QkStore& store, BlockKind kind, size_t layer,
                             const RowSample& sample, const StopCheck& stop_check = {});

}  // namespace vggt
