// SPDX-License-Identifier: Apache-2.0
// Computes the statistics of whole models in the background, for whoever asks about them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "analysis/head_labels.h"
#include "analysis/layer_statistics.h"
#include "core/parallel.h"
#include "server/export_catalog.h"

namespace vggt {

// A layer of an export's store. It has statistics, or an error, or neither if it is not computed
// yet.
struct ReportLayer {
  BlockKind kind = BlockKind::kGlobal;
  size_t layer = 0;  // a place in the layers of that kind
  std::shared_ptr<const LayerStatistics> statistics;
  std::vector<std::vector<HeadLabel>> labels;  // of each head, if it has statistics
  std::string error;                           // why it cannot have them
};

// What is known of an export at a time.
struct ReportState {
  std::vector<ReportLayer> layers;  // block kind after block kind, as they are stored
  RowSample sample;
  double progress = 0;  // the share of all work that is done: 1 if every layer has one of both
};

// One background thread, at a lower priority than all answers, so that these keep the processors.
// The layers of the export that was asked for last are computed first, from the first global one
// on; each is kept on disk when it is done (analysis/statistics_cache.h). It goes on when nobody
// asks any more, but gives up an export once another stands in its place. From any number of
// threads.
class ReportWorker {
 public:
  ReportWorker();
  ReportWorker(const ReportWorker&) = delete;
  ReportWorker& operator=(const ReportWorker&) = delete;
  // Ends what is being computed. Nobody may be waiting in Await().
  ~ReportWorker() = default;

  // What is known by now of an export that has a store. Of one that is asked for for the first
  // time, what is kept on disk is read here; the rest is computed from now on.
  ReportState StateOf(const std::shared_ptr<const OpenedExport>& opened);

  // Waits for one layer, which is computed next, or for all. About 50 times a second `stop_check`
  // is asked, which may throw. Throws Refusal (503) if the export is given up.
  ReportLayer Await(const std::shared_ptr<const OpenedExport>& opened, BlockKind kind, size_t layer,
                    const StopCheck& stop_check);
  ReportState AwaitAll(const std::shared_ptr<const OpenedExport>& opened,
                       const StopCheck& stop_check);

 private:
  struct Job;
  using JobPtr = std::shared_ptr<Job>;

  JobPtr JobOf(const std::shared_ptr<const OpenedExport>& opened);
  void Run(const std::stop_token& stop);
  void Compute(const std::stop_token& stop, const JobPtr& job, size_t place);
  void Wait(std::unique_lock<std::mutex>& lock, const JobPtr& job, const StopCheck& stop_check);

  std::mutex mutex_;                      // for what follows
  std::condition_variable_any wanted_;    // a job has come
  std::condition_variable_any computed_;  // a layer is done
  std::vector<JobPtr> jobs_;              // the one that was asked for last at the end
  std::jthread thread_;                   // the last, so that it ends before what it uses
};

}  // namespace vggt
