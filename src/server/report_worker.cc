// SPDX-License-Identifier: Apache-2.0
#include "server/report_worker.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "analysis/row_budget.h"
#include "analysis/statistics_cache.h"
#include "server/message.h"

namespace vggt {
namespace {

// Two for two exports that are compared. Those of 50 pictures through VGGT-1B take 150 MB.
constexpr size_t kMostJobs = 2;
constexpr std::chrono::milliseconds kBetweenStopChecks{20}, kBetweenLooks{200};
// Of nice(1): a tenth of a processor that quick answers want, too, and less than long ones get. At
// 19 it would stand still wherever others are at work.
constexpr int kWorkerNicer = 10;

// Ends a computation that nobody has a use for.
struct GivenUp {};

// What a pass over a layer has to do, up to a factor that all have in common.
double WorkOf(const QkDescription& description, const QkBlocks& blocks) {
  const TokenGrid grid = description.token_grid(blocks);
  const double keys = static_cast<double>(
      blocks.attends == Attends::kFrame ? grid.tokens_per_frame() : grid.tokens());
  return keys * static_cast<double>(blocks.heads * blocks.head_dim);
}

bool IsComputed(const ReportLayer& layer) { return layer.statistics != nullptr; }

void SetStatistics(LayerStatistics statistics, ReportLayer& layer) {
  layer.labels = LabelHeads(statistics);
  layer.statistics = std::make_shared<const LayerStatistics>(std::move(statistics));
}

// `layers` with the statistics that are kept on disk.
std::vector<ReportLayer> KeptLayers(const QkStore& store, const RowSample& sample,
                                    std::vector<ReportLayer> layers) {
  for (ReportLayer& layer : layers) {
    if (auto kept = ReadStatistics(store, layer.kind, layer.layer, sample)) {
      SetStatistics(*std::move(kept), layer);
    }
  }
  return layers;
}

}  // namespace

struct ReportWorker::Job {
  std::shared_ptr<const OpenedExport> opened;
  std::once_flag reading;  // of what is kept on disk

  // Guarded by the worker's mutex.
  ReportState state;
  std::vector<double> work;    // of each layer
  std::vector<size_t> urgent;  // layers that somebody waits for, those asked for last at the end
  bool is_read = false, given_up = false;

  bool IsDone(size_t place) const {
    return state.layers[place].statistics != nullptr || !state.layers[place].error.empty();
  }
  // The layer to compute next; their number if there is none.
  size_t Next() const {
    for (auto place = urgent.rbegin(); place != urgent.rend(); ++place) {
      if (!IsDone(*place)) return *place;
    }
    size_t place = 0;
    while (place < state.layers.size() && IsDone(place)) ++place;
    return place;
  }
  bool HasWork() const { return is_read && !given_up && Next() < state.layers.size(); }
  void Put(size_t place, ReportLayer layer) {
    state.layers[place] = std::move(layer);
    double done = 0, all = 0;
    for (size_t i = 0; i < work.size(); ++i) {
      done += IsDone(i) ? work[i] : 0;
      all += work[i];
    }
    state.progress = done / all;
  }
};

ReportWorker::ReportWorker() : thread_([this](const std::stop_token& stop) { Run(stop); }) {}

ReportWorker::JobPtr ReportWorker::JobOf(const std::shared_ptr<const OpenedExport>& opened) {
  const QkStore& store = opened->rows->store();
  JobPtr job;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(jobs_, [&](const JobPtr& other) {
      return other->opened->id == opened->id && other->opened->version == opened->version;
    });
    if (found != jobs_.end()) {
      job = *found;
      std::rotate(found, found + 1, jobs_.end());
    } else {
      job = std::make_shared<Job>();
      job->opened = opened;
      const QkDescription& d = store.description();
      job->state.sample = RowsWithin(d, kUsualProducts);
      for (const QkBlocks& blocks : d.blocks) {
        for (size_t layer = 0; layer < blocks.layers.size(); ++layer) {
          job->state.layers.push_back({blocks.kind, layer, nullptr, {}, ""});
          job->work.push_back(WorkOf(d, blocks));
        }
      }
      jobs_.push_back(job);
      if (jobs_.size() > kMostJobs) {
        jobs_.front()->given_up = true;
        jobs_.erase(jobs_.begin());
      }
    }
  }
  std::call_once(job->reading, [&] {
    RowSample sample = job->state.sample;
    std::vector<ReportLayer> kept = KeptLayers(store, sample, job->state.layers);
    if (!sample.all && !std::ranges::all_of(kept, IsComputed)) {
      // A report of all rows says more than one of a sample.
      const RowSample all = AllRows(store.description().token_grid(store.description().blocks[0]));
      std::vector<ReportLayer> of_all = KeptLayers(store, all, job->state.layers);
      if (std::ranges::all_of(of_all, IsComputed)) {
        sample = all;
        kept = std::move(of_all);
      }
    }
    const std::lock_guard lock(mutex_);
    job->state.sample = std::move(sample);
    for (size_t i = 0; i < kept.size(); ++i) {
      if (IsComputed(kept[i])) job->Put(i, std::move(kept[i]));
    }
    job->is_read = true;
    wanted_.notify_one();
  });
  return job;
}

void ReportWorker::Run(const std::stop_token& stop) {
  // On Linux of this thread alone, and of OpenMP's, which it begins.
  (void)nice(kWorkerNicer);
  std::unique_lock lock(mutex_);
  while (true) {
    JobPtr job;
    const bool found = wanted_.wait(lock, stop, [&] {
      const auto open = std::find_if(jobs_.rbegin(), jobs_.rend(),
                                     [](const JobPtr& other) { return other->HasWork(); });
      if (open != jobs_.rend()) job = *open;
      return job != nullptr;
    });
    if (!found) return;
    const size_t place = job->Next();
    lock.unlock();
    Compute(stop, job, place);
    lock.lock();
    computed_.notify_all();
  }
}

void ReportWorker::Compute(const std::stop_token& stop, const JobPtr& job, size_t place) {
  ReportLayer layer;
  RowSample sample;
  {
    const std::lock_guard lock(mutex_);
    layer = job->state.layers[place];
    sample = job->state.sample;
  }
  std::atomic<int64_t> next_look = 0;
  const auto check = [&] {
    if (stop.stop_requested()) throw GivenUp();
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const int64_t due = next_look;
    if (now.count() < due) return;
    next_look = (now + kBetweenLooks).count();
    if (IsReplaced(*job->opened)) throw GivenUp();
    const std::lock_guard lock(mutex_);
    if (job->given_up) throw GivenUp();
  };
  bool given_up = false;
  try {
    SetStatistics(StatisticsOf(job->opened->rows->store(), layer.kind, layer.layer, sample, check),
                  layer);
    given_up = IsReplaced(*job->opened);
  } catch (const GivenUp&) {
    given_up = true;
  } catch (const Error& error) {
    layer.error = error.what();
    given_up = IsReplaced(*job->opened);
  } catch (const std::exception& error) {
    layer.error = error.what();
  }
  const std::lock_guard lock(mutex_);
  if (given_up) {
    job->given_up = true;
    std::erase(jobs_, job);
  } else {
    job->Put(place, std::move(layer));
  }
}

ReportState ReportWorker::StateOf(const std::shared_ptr<const OpenedExport>& opened) {
  const JobPtr job = JobOf(opened);
  const std::lock_guard lock(mutex_);
  return job->state;
}

void ReportWorker::Wait(std::unique_lock<std::mutex>& lock, const JobPtr& job,
                        const StopCheck& stop_check) {
  if (job->given_up) {
    throw Refusal(503, "the export was replaced, or others were asked for, before it was computed",
                  "", "Ask again.");
  }
  computed_.wait_for(lock, kBetweenStopChecks);
  lock.unlock();
  CheckStop(stop_check);
  lock.lock();
}

ReportLayer ReportWorker::Await(const std::shared_ptr<const OpenedExport>& opened, BlockKind kind,
                                size_t layer, const StopCheck& stop_check) {
  const JobPtr job = JobOf(opened);
  std::unique_lock lock(mutex_);
  const std::vector<ReportLayer>& layers = job->state.layers;
  const auto place =
      static_cast<size_t>(std::ranges::find_if(layers,
                                               [&](const ReportLayer& other) {
                                                 return other.kind == kind && other.layer == layer;
                                               }) -
                          layers.begin());
  std::erase(job->urgent, place);
  job->urgent.push_back(place);
  while (!job->IsDone(place)) Wait(lock, job, stop_check);
  return layers[place];
}

ReportState ReportWorker::AwaitAll(const std::shared_ptr<const OpenedExport>& opened,
                                   const StopCheck& stop_check) {
  const JobPtr job = JobOf(opened);
  std::unique_lock lock(mutex_);
  while (job->Next() < job->state.layers.size()) Wait(lock, job, stop_check);
  return job->state;
}

}  // namespace vggt
