// SPDX-License-Identifier: Apache-2.0
// Reads the video in a file, packet by packet or frame by frame. Only part of builds with FFmpeg's
// libraries; other code uses video.h.
//
// Files are not trusted: only the containers and codecs of a short list (video_stream.cc) are
// tried, and no other file is ever opened: no playlists, no references, no network. FFmpeg's own
// messages are silenced for the whole process.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "image/picture.h"

namespace vggt {

// A regular file, read by position. If it shrinks while it is read, it just ends early.
class VideoFile {
 public:
  // Throws Error if it cannot be opened or is not a regular file.
  explicit VideoFile(const std::filesystem::path& path);
  VideoFile(const VideoFile&) = delete;
  VideoFile& operator=(const VideoFile&) = delete;
  ~VideoFile();

  const std::string& name() const { return name_; }
  int64_t size() const { return size_; }
  int64_t position() const { return position_; }

 private:
  friend class VideoStream;
  static int ReadIo(void* self, uint8_t* to, int size);
  static int64_t SeekIo(void* self, int64_t offset, int whence);
  // Throws Error if reading failed. FFmpeg would take such a failure for a damaged file.
  void CheckDisk() const;

  std::string name_;
  int fd_ = -1;
  int64_t size_ = 0, position_ = 0;
  int error_ = 0;
};

// One pass through a file, from its beginning. A VideoFile can be used by one at a time.
class VideoStream {
 public:
  // Throws Error naming the file if it is damaged, of a kind that is not read, or holds no moving
  // pictures (cover pictures are not). If the file has several videos, the one marked as the
  // default is taken; among equals the largest, then the first.
  explicit VideoStream(VideoFile& file);
  ~VideoStream();
  VideoStream(const VideoStream&) = delete;
  VideoStream& operator=(const VideoStream&) = delete;

  const AVFormatContext& format() const { return *format_; }
  const AVStream& stream() const { return *stream_; }
  bool IsMov() const;       // whether the container is mp4 or one of its relatives
  bool IsMatroska() const;  // whether it is Matroska or WebM

  // Makes NextPacket() not read the other streams of the file.
  void SkipOthers();

  // The next complete packet of the video; null at the end of what can be read.
  const AVPacket* NextPacket();
  // Whether the last thing read was an error or an incomplete packet.
  bool BrokeOff() const { return broke_off_; }
  // The end of the last packet of all streams read so far, in seconds of the container's time.
  double data_end() const { return data_end_; }

  // The next frame in the order of presentation; null at the end. Leaves out frames that the
  // decoder found damaged, and all frames after them up to the next keyframe, because these build
  // on what the decoder made up. Throws Error if the codec is not read.
  const AVFrame* NextFrame();

  // Continues at the keyframe with this `time` in the container's index: the decoding time in mp4,
  // the presentation time in Matroska. Returns false if that fails; then nothing more can be read.
  bool Seek(int64_t time);

  // Throws Error as PictureOfFrame does.
  Picture ToPicture(const AVFrame& frame) const;

 private:
  struct Free {
    void operator()(AVIOContext* context) const;
    void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
    void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
    void operator()(AVPacket* packet) const { av_packet_free(&packet); }
    void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  };
  template <typename T>
  using Owned = std::unique_ptr<T, Free>;

  void OpenContainer();
  void OpenDecoder();
  std::string ContentText() const;
  bool IsToBeTrusted(const AVFrame& frame);
  // From now on, frames are left out up to the next keyframe later than `until`.
  void Distrust(int64_t until);

  VideoFile& file_;
  Owned<AVIOContext> io_;  // declared first, so that it outlives format_, which reads through it
  Owned<AVFormatContext> format_;
  Owned<AVCodecContext> decoder_;
  Owned<AVPacket> packet_;
  Owned<AVFrame> frame_;
  AVStream* stream_ = nullptr;
  double data_end_ = 0;
  bool broke_off_ = false, drained_ = false, distrusted_ = false;
  int64_t read_until_ = std::numeric_limits<int64_t>::min();  // the latest packet's time so far
  int64_t distrusted_until_ = 0;
};

}  // namespace vggt
