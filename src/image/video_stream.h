// SPDX-License-Identifier: Apache-2.0
// The video in a file, packet by packet or frame by frame. Part of builds with FFmpeg's libraries
// only; video.h is what others use.
//
// The file is foreign. Only the containers and codecs of a short list (video_stream.cc) are tried;
// nothing but the file itself is ever opened: no playlists, no references, no network. FFmpeg's own
// messages are silenced, for the whole process.
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

// A regular file, read by position: one that shrinks meanwhile only ends early.
class VideoFile {
 public:
  // Throws Error if it cannot be opened or is no regular file.
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
  // An error of the disk is none of the file's.
  void CheckDisk() const;

  std::string name_;
  int fd_ = -1;
  int64_t size_ = 0, position_ = 0;
  int error_ = 0;
};

// One way through a file, from its beginning. One at a time for each VideoFile.
class VideoStream {
 public:
  // Throws Error naming the file if it is no video that is read, damaged, or holds no moving
  // pictures (cover pictures are none). Of several videos in a file the one marked as the default
  // is taken, among equals the largest, the first.
  explicit VideoStream(VideoFile& file);
  ~VideoStream();
  VideoStream(const VideoStream&) = delete;
  VideoStream& operator=(const VideoStream&) = delete;

  const AVFormatContext& format() const { return *format_; }
  const AVStream& stream() const { return *stream_; }
  // mp4 and its relatives; Matroska and WebM.
  bool IsMov() const;
  bool IsMatroska() const;

  // Other streams are not read.
  void SkipOthers();

  // The next packet of the video that is whole; null at the end of what can be read.
  const AVPacket* NextPacket();
  // Whether an error or a packet without its end came last.
  bool BrokeOff() const { return broke_off_; }
  // Until when the packets of all streams last, in seconds as the container counts.
  double data_end() const { return data_end_; }

  // The next frame in the order of presentation, null at the end. Frames that the decoder found
  // damaged are left out, and all after them until the next keyframe, as they build on what it made
  // up. Throws Error if the codec is not read.
  const AVFrame* NextFrame();

  // Goes on with the keyframe at `time`, counted as the container's index does: by decoding time in
  // mp4, by presentation in Matroska. False if that cannot be; then nothing can be read any more.
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
  // Frames are left out until a keyframe later than `until`.
  void Distrust(int64_t until);

  VideoFile& file_;
  Owned<AVIOContext> io_;  // outlives what reads through it
  Owned<AVFormatContext> format_;
  Owned<AVCodecContext> decoder_;
  Owned<AVPacket> packet_;
  Owned<AVFrame> frame_;
  AVStream* stream_ = nullptr;
  double data_end_ = 0;
  bool broke_off_ = false, drained_ = false, distrusted_ = false;
  int64_t read_until_ = std::numeric_limits<int64_t>::min();  // the latest time of a packet
  int64_t distrusted_until_ = 0;
};

}  // namespace vggt
