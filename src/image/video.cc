// SPDX-License-Identifier: Apache-2.0
// A video is read in two passes. The first lists the frames and the times at which they are shown,
// because headers often give a wrong frame rate, length or count. In mp4 and Matroska the packets
// tell this: each holds one frame and its presentation time, so nothing is decoded (ListPackets).
// Only the first frame is, since a recording may begin in the middle of a group of frames
// (StartsWhereDecodable). In other containers, for VP8, whose packets may hold frames that are
// never shown, and where packets have no or equal times, all frames are decoded (ListFrames).
//
// The second pass decodes the chosen frames in ascending order (Read). It goes on from the current
// frame, or seeks to the keyframe before the wanted one if that skips more than kWorthSeeking (12)
// frames. It seeks only if packets told the times: then a frame is recognised by its time wherever
// decoding begins. If a wanted time is not found after a seek, the pass begins again at the start
// of the file and does not seek any more. Frames that a decoder made up for damaged data are left
// out by VideoStream.
//
// Times are kept in ticks, the stream's own unit: whole numbers, which compare exactly.
#include "image/video.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/error.h"
#include "image/capabilities.h"
#ifdef VGGT_HAS_VIDEO
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "image/video_picture.h"
#include "image/video_stream.h"
#endif

namespace vggt {
namespace fs = std::filesystem;

std::span<const std::string_view> VideoExtensions() {
  static constexpr std::string_view kExtensions[] = {"mp4", "m4v",  "mov", "mkv", "webm", "avi",
                                                     "mpg", "mpeg", "ts",  "mts", "m2ts", "wmv",
                                                     "flv", "ogv",  "3gp", "3g2"};
  return kExtensions;
}

bool HasVideoExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  if (extension.empty()) return false;
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::ranges::count(VideoExtensions(), std::string_view(extension).substr(1)) > 0;
}

#ifdef VGGT_HAS_VIDEO
namespace {

constexpr int64_t kBeforeAll = std::numeric_limits<int64_t>::min();
constexpr int64_t kAfterAll = std::numeric_limits<int64_t>::max();
constexpr int64_t kMostTime = int64_t{1} << 52;  // ticks: as doubles, times stay exact
constexpr size_t kWorthSeeking = 12;             // frames to skip for which a seek pays
constexpr size_t kCallsToSkip = 16;              // Progress is called for every 16th frame
constexpr double kGap = 0.5;                     // seconds by which a header may be wrong

bool IsTime(int64_t pts) { return pts != AV_NOPTS_VALUE && std::abs(pts) <= kMostTime; }

// Walks through the frames and gives each its presentation time, in ticks, strictly ascending.
class FrameWalk {
 public:
  // A frame without a time of its own gets the time of the frame before it plus the average
  // distance. Since that depends on the frame before, seeking is only for streams whose frames all
  // have times of their own.
  explicit FrameWalk(VideoFile& file) : stream_(file) {
    stream_.SkipOthers();
    const AVRational rate = stream_.stream().avg_frame_rate;
    const double ticks =
        rate.num > 0 && rate.den > 0 ? 1 / av_q2d(rate) / av_q2d(stream_.stream().time_base) : 1;
    tick_ = static_cast<int64_t>(std::clamp(ticks, 1.0, 1e9));
  }

  VideoStream& stream() { return stream_; }
  const AVFrame* frame() const { return frame_; }  // null before the first and after the last
  int64_t time() const { return time_; }           // of frame(); kBeforeAll or kAfterAll if null

  bool Next() {
    frame_ = stream_.NextFrame();
    if (frame_ == nullptr) {
      time_ = kAfterAll;
      return false;
    }
    const int64_t own = IsTime(frame_->pts) ? frame_->pts : frame_->best_effort_timestamp;
    const bool first = time_ == kBeforeAll;
    if (IsTime(own) && (first || own > time_)) {
      time_ = own;
    } else {
      time_ = first ? 0 : time_ + tick_;
    }
    return true;
  }

  bool Seek(int64_t container_time) {
    frame_ = nullptr;
    time_ = kBeforeAll;
    return stream_.Seek(container_time);
  }

 private:
  VideoStream stream_;
  const AVFrame* frame_ = nullptr;
  int64_t time_ = kBeforeAll, tick_ = 1;
};

struct Keyframe {
  int64_t time;     // of presentation
  int64_t seek_to;  // the argument for VideoStream::Seek
};

}  // namespace

bool ReadsVideo() { return true; }

class Video::Impl {
 public:
  Impl(const fs::path& path, const Progress& progress) : file_(path) {
    ListPackets(progress);
    if (!indexed_ || !StartsWhereDecodable()) ListFrames(progress);
    if (ticks_.empty()) {
      throw Error("holds no frame that can be decoded", file_.name(),
                  "It is damaged or its copy is incomplete: copy it again.");
    }
    for (const int64_t tick : ticks_) times.push_back(Seconds(tick));
    // If the length of the last frame is unknown, the average length of the others is taken.
    const double length =
        last_length_ > 0 && indexed_
            ? static_cast<double>(last_length_) * unit_
            : times.back() / static_cast<double>(std::max<size_t>(times.size() - 1, 1));
    duration = times.back() + length;
    NoteHowItEnds();
  }

  void Read(std::span<const size_t> frames, const std::function<void(VideoFrame)>& take,
            const Progress& progress) {
    for (size_t i = 0; i < frames.size(); ++i) {
      if (frames[i] >= ticks_.size() || (i > 0 && frames[i] <= frames[i - 1])) {
        throw Error(fmt::format("frame {} does not exist or is out of order", frames[i]),
                    file_.name());
      }
    }
    std::optional<FrameWalk> walk(std::in_place, file_);
    bool may_seek = indexed_, sought = false, used = true;
    size_t read = 0, replaced = 0;
    for (size_t i = 0; i < frames.size(); ++i) {
      const int64_t wanted = ticks_[frames[i]];
      const int64_t next = i + 1 < frames.size() ? ticks_[frames[i + 1]] : kAfterAll;
      const auto advance = [&] {
        for (size_t n = 0; used || walk->time() < wanted; ++n) {
          if (n % kCallsToSkip == 0 && progress) progress(Share(walk->time()));
          used = false;
          if (!walk->Next()) break;
        }
      };
      if (const Keyframe* key = may_seek ? WorthSeeking(walk->time(), frames[i]) : nullptr) {
        sought = true;
        used = true;
        if (!walk->Seek(key->seek_to)) walk.emplace(file_);
      }
      advance();
      if (walk->time() != wanted && sought) {
        // Decoding from the beginning may find a frame that seeking missed.
        may_seek = sought = false;
        used = true;
        walk.emplace(file_);
        advance();
      }
      if (walk->time() >= next || walk->frame() == nullptr) continue;  // left out
      replaced += walk->time() != wanted ? 1 : 0;
      ++read;
      take({Seconds(walk->time()), walk->stream().ToPicture(*walk->frame())});
      used = true;
    }
    if (read == 0 && !frames.empty()) {
      throw Error("none of the chosen frames can be decoded", file_.name(),
                  "It is damaged: copy it again.");
    }
    NoteDamage(frames.size() - read, replaced, frames.size());
  }

  std::vector<double> times;
  double duration = 0;
  std::vector<std::string> notes;

 private:
  // Lists all frames by the times of their packets, without decoding. Sets indexed_ to whether this
  // list is right (see above), and broke_off_ to whether the file ends early.
  void ListPackets(const Progress& progress) {
    VideoStream stream(file_);
    unit_ = av_q2d(stream.stream().time_base);
    indexed_ = (stream.IsMov() || stream.IsMatroska()) &&
               stream.stream().codecpar->codec_id != AV_CODEC_ID_VP8;
    if (stream.IsMov()) stream.SkipOthers();
    int64_t packets = 0, last = kBeforeAll;
    while (const AVPacket* packet = stream.NextPacket()) {
      if (packets++ % 64 == 0 && progress) progress(FileShare());
      if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0) continue;  // never shown
      indexed_ = indexed_ && IsTime(packet->pts);
      if (!indexed_) continue;
      CheckCount(ticks_.size() + 1);
      ticks_.push_back(packet->pts);
      if (packet->pts > last) {
        last = packet->pts;
        last_length_ = packet->duration;
      }
      if ((packet->flags & AV_PKT_FLAG_KEY) != 0) {
        keys_.push_back({packet->pts, stream.IsMov() ? packet->dts : packet->pts});
      }
    }
    std::ranges::sort(ticks_);
    std::ranges::sort(keys_, {}, &Keyframe::time);
    indexed_ = indexed_ && std::ranges::adjacent_find(ticks_) == ticks_.end();

    // An mp4 lists its packets. Other containers only tell their duration, which need not count
    // from 0.
    const AVStream& s = stream.stream();
    const int listed = avformat_index_get_entries_count(&s);
    broke_off_ = stream.BrokeOff() || (stream.IsMov() && packets < listed);
    const bool announced = s.duration > 0 && stream.IsMov();
    const bool by_header = stream.format().duration > 0 &&
                           stream.format().duration_estimation_method == AVFMT_DURATION_FROM_STREAM;
    if (announced) {
      announced_ = static_cast<double>(s.duration) * unit_;
    } else if (by_header) {
      announced_ = static_cast<double>(stream.format().duration) / AV_TIME_BASE;
      const int64_t start = stream.format().start_time;
      const double from = start == AV_NOPTS_VALUE ? 0 : static_cast<double>(start) / AV_TIME_BASE;
      broke_off_ = broke_off_ || stream.data_end() - from + kGap < announced_;
    }
  }

  // Removes the frames before the first one that can be decoded. Returns false if that one is not
  // listed.
  bool StartsWhereDecodable() {
    FrameWalk walk(file_);
    if (!walk.Next()) {
      ticks_.clear();
      return true;
    }
    NoteColours(*walk.frame());
    const auto first = std::ranges::lower_bound(ticks_, walk.time());
    if (first == ticks_.end() || *first != walk.time()) return false;
    ticks_.erase(ticks_.begin(), first);
    return true;
  }

  // Lists all frames by decoding them.
  void ListFrames(const Progress& progress) {
    indexed_ = false;
    ticks_.clear();
    keys_.clear();
    notes.clear();
    FrameWalk walk(file_);
    while (walk.Next()) {
      if (ticks_.empty()) NoteColours(*walk.frame());
      if (ticks_.size() % kCallsToSkip == 0 && progress) progress(FileShare());
      CheckCount(ticks_.size() + 1);
      ticks_.push_back(walk.time());
    }
  }

  void CheckCount(size_t frames) const {
    if (frames > kMostFramesInVideo) {
      throw Error(fmt::format("has more than {} frames", kMostFramesInVideo), file_.name(),
                  "Cut it into shorter ones.");
    }
  }

  // The keyframe before the frame `wanted`, if it is more than kWorthSeeking frames after `time`;
  // else null.
  const Keyframe* WorthSeeking(int64_t time, size_t wanted) const {
    const auto after = std::ranges::upper_bound(keys_, ticks_[wanted], {}, &Keyframe::time);
    if (after == keys_.begin()) return nullptr;
    const Keyframe& key = *std::prev(after);
    const auto index_of = [&](int64_t t) {
      return static_cast<size_t>(std::ranges::lower_bound(ticks_, t) - ticks_.begin());
    };
    return index_of(key.time) > index_of(time) + kWorthSeeking ? &key : nullptr;
  }

  double Seconds(int64_t tick) const {
    return (static_cast<double>(tick) - static_cast<double>(ticks_.front())) * unit_;
  }

  double Share(int64_t tick) const {
    const double passed = tick == kBeforeAll ? 0 : std::max(Seconds(tick), 0.0);
    return duration > 0 ? std::min(passed / duration, 1.0) : 0;
  }

  double FileShare() const {
    const auto size = static_cast<double>(std::max<int64_t>(file_.size(), 1));
    return std::min(static_cast<double>(file_.position()) / size, 1.0);
  }

  void NoteColours(const AVFrame& frame) {
    const int transfer = NumberOf(frame.color_trc);
    if (transfer == AVCOL_TRC_SMPTE2084 || transfer == AVCOL_TRC_ARIB_STD_B67) {
      notes.push_back("the video is HDR; its colours are taken as stored, which looks flat");
    }
  }

  void NoteHowItEnds() {
    if (!broke_off_) return;
    notes.push_back(announced_ > duration
                        ? fmt::format("the video ends early: at {:.2f} s of the {:.2f} s in its "
                                      "header; the frames up to there were used",
                                      duration, announced_)
                        : fmt::format("the video ends early: it breaks off at {:.2f} s; the frames "
                                      "up to there were used",
                                      duration));
  }

  void NoteDamage(size_t lost, size_t replaced, size_t wanted) {
    if (replaced > 0) {
      notes.push_back(
          fmt::format("{} of the {} frames cannot be decoded and {} replaced by the next that can "
                      "be",
                      replaced, wanted, replaced == 1 ? "is" : "are"));
    }
    if (lost > 0) {
      notes.push_back(fmt::format("{} of the {} frames cannot be decoded and {} left out", lost,
                                  wanted, lost == 1 ? "is" : "are"));
    }
  }

  VideoFile file_;
  double unit_ = 0;             // seconds in a tick
  std::vector<int64_t> ticks_;  // the time of each frame, strictly ascending
  std::vector<Keyframe> keys_;  // ascending
  int64_t last_length_ = 0;     // of the last frame, in ticks; 0 if unknown
  bool indexed_ = false;        // packets told the time of every frame: seeking is possible
  bool broke_off_ = false;      // the file ends early
  double announced_ = 0;        // the duration by the header, in seconds; 0 if unknown
};

#else

bool ReadsVideo() { return false; }

class Video::Impl {
 public:
  Impl(const fs::path& path, const Progress&) { RefuseMissing("videos", path.string()); }
  void Read(std::span<const size_t>, const std::function<void(VideoFrame)>&, const Progress&) {}

  std::vector<double> times;
  double duration = 0;
  std::vector<std::string> notes;
};

#endif

Video::Video(const fs::path& path, const Progress& progress)
    : impl_(std::make_unique<Impl>(path, progress)) {}
Video::~Video() = default;
Video::Video(Video&&) noexcept = default;
Video& Video::operator=(Video&&) noexcept = default;

const std::vector<double>& Video::times() const { return impl_->times; }
double Video::duration() const { return impl_->duration; }
const std::vector<std::string>& Video::notes() const { return impl_->notes; }

void Video::Read(std::span<const size_t> frames, const std::function<void(VideoFrame)>& take,
                 const Progress& progress) {
  impl_->Read(frames, take, progress);
}

}  // namespace vggt
