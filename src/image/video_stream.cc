// SPDX-License-Identifier: Apache-2.0
// FFmpeg reads the file through VideoFile's callbacks. Its own way to open files is replaced by a
// function that refuses, so that a playlist or a reference in a file leads nowhere.
//
// A decoder does not stop at damaged data: it makes up the missing part and marks the frame, but
// not the frames that are predicted from it. So a damaged packet or frame begins a stretch that is
// not trusted. It ends at a keyframe whose time is later than that of everything read before the
// damage (Distrust, IsToBeTrusted).
#include "image/video_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <new>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/parallel.h"
#include "image/video_picture.h"

namespace vggt {
namespace {

// The containers and codecs of cameras, phones, screen recorders and archives, by libavformat's and
// libavcodec's own names. FFmpeg has hundreds of others, which hostile files could make use of.
constexpr const char* kVideoContainers = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg";
constexpr const char* kVideoCodecs =
    "h264,hevc,vp8,vp9,libdav1d,libaom-av1,av1,mpeg4,mpeg1video,mpeg2video,mjpeg,prores,dnxhd,ffv1,"
    "theora,wmv1,wmv2,wmv3,vc1,msmpeg4,msmpeg4v1,msmpeg4v2,h263,flv,huffyuv,ffvhuff,utvideo,png,"
    "rawvideo,dvvideo,qtrle";

constexpr int64_t kMostVideoPixels = int64_t{8192} * 8192;  // of a frame
constexpr int kMostDecoderThreads = 8;                      // each holds a frame or two
constexpr int kMostErrorsWhileDraining = 1000;

std::string AvErrorText(int error) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(error, text, sizeof(text));
  return Printable(text);
}

template <typename T>
T* OrOutOfMemory(T* made) {
  if (made == nullptr) throw std::bad_alloc();
  return made;
}

int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

bool IsMovingPictures(const AVStream& stream) {
  constexpr int kStill = AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS;
  return stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO && (stream.disposition & kStill) == 0;
}

AVStream* BestVideo(const AVFormatContext& format) {
  const auto rank = [](const AVStream& stream) {
    const int64_t pixels = int64_t{stream.codecpar->width} * stream.codecpar->height;
    return std::pair((stream.disposition & AV_DISPOSITION_DEFAULT) != 0, pixels);
  };
  AVStream* best = nullptr;
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    AVStream* stream = format.streams[i];
    if (!IsMovingPictures(*stream)) continue;
    if (best == nullptr || rank(*stream) > rank(*best)) best = stream;
  }
  return best;
}

std::optional<DisplayMatrix> StreamMatrix(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData* data =
      av_packet_side_data_get(stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data,
                              AV_PKT_DATA_DISPLAYMATRIX);
  const uint8_t* bytes = data == nullptr ? nullptr : data->data;
  const size_t size = data == nullptr ? 0 : data->size;
#else
  size_t size = 0;
  const uint8_t* bytes = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
  DisplayMatrix matrix;
  if (bytes == nullptr || size < sizeof(matrix)) return {};
  std::copy_n(reinterpret_cast<const int32_t*>(bytes), matrix.size(), matrix.begin());
  return matrix;
}

bool IsConcealed(const AVFrame& frame) {
  return (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame.decode_error_flags != 0;
}

bool IsKeyframe(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_KEY) != 0;
#else
  return frame.key_frame != 0;
#endif
}

}  // namespace

VideoFile::VideoFile(const std::filesystem::path& path) : name_(path.string()) {
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) ThrowSystemError(errno, "cannot open the video", name_);
  struct stat status = {};
  if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd_);
    throw Error("is not a regular file", name_, "Name a video file.");
  }
  size_ = status.st_size;
}

VideoFile::~VideoFile() { close(fd_); }

void VideoFile::CheckDisk() const {
  if (error_ != 0) ThrowSystemError(error_, "cannot read the video", name_);
}

int VideoFile::ReadIo(void* self, uint8_t* to, int size) {
  auto& file = *static_cast<VideoFile*>(self);
  const ssize_t got = pread(file.fd_, to, static_cast<size_t>(size), file.position_);
  if (got == 0) return AVERROR_EOF;
  if (got < 0) {
    file.error_ = errno;
    return AVERROR(file.error_);
  }
  file.position_ += got;
  return static_cast<int>(got);
}

int64_t VideoFile::SeekIo(void* self, int64_t offset, int whence) {
  auto& file = *static_cast<VideoFile*>(self);
  if ((whence & AVSEEK_SIZE) != 0) return file.size_;
  whence &= ~AVSEEK_FORCE;
  const int64_t base = whence == SEEK_CUR ? file.position_ : whence == SEEK_END ? file.size_ : 0;
  int64_t target = 0;
  if (__builtin_add_overflow(base, offset, &target) || target < 0) return AVERROR(EINVAL);
  file.position_ = target;
  return target;
}

void VideoStream::Free::operator()(AVIOContext* context) const {
  av_freep(&context->buffer);
  avio_context_free(&context);
}

VideoStream::VideoStream(VideoFile& file)
    : file_(file),
      packet_(OrOutOfMemory(av_packet_alloc())),
      frame_(OrOutOfMemory(av_frame_alloc())) {
  OpenContainer();
  stream_ = BestVideo(*format_);
  if (stream_ == nullptr) {
    throw Error("holds no video" + ContentText(), file_.name(),
                "Name a file with moving pictures.");
  }
  if (stream_->time_base.num <= 0 || stream_->time_base.den <= 0) {
    throw Error("is damaged: it has no valid time base", file_.name(), "Copy the video again.");
  }
}

VideoStream::~VideoStream() = default;

bool VideoStream::IsMov() const {
  return std::string_view(format_->iformat->name).starts_with("mov");
}

bool VideoStream::IsMatroska() const {
  return std::string_view(format_->iformat->name).starts_with("matroska");
}

void VideoStream::SkipOthers() {
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    if (format_->streams[i] != stream_) format_->streams[i]->discard = AVDISCARD_ALL;
  }
}

const AVPacket* VideoStream::NextPacket() {
  for (;;) {
    av_packet_unref(packet_.get());
    const int got = av_read_frame(format_.get(), packet_.get());
    file_.CheckDisk();
    if (got == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (got < 0) {
      broke_off_ = broke_off_ || got != AVERROR_EOF;
      return nullptr;
    }
    const AVPacket& packet = *packet_;
    const AVStream& stream = *format_->streams[packet.stream_index];
    const int64_t time = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
    if (time != AV_NOPTS_VALUE) {
      const double end = static_cast<double>(time) + static_cast<double>(packet.duration);
      data_end_ = std::max(data_end_, end * av_q2d(stream.time_base));
      if (&stream == stream_) read_until_ = std::max(read_until_, time);
    }
    broke_off_ = (packet.flags & AV_PKT_FLAG_CORRUPT) != 0;
    if (&stream != stream_) continue;
    if (!broke_off_) return &packet;
    Distrust(read_until_);
  }
}

void VideoStream::Distrust(int64_t until) {
  distrusted_ = true;
  distrusted_until_ = until;
}

bool VideoStream::IsToBeTrusted(const AVFrame& frame) {
  const int64_t time = frame.best_effort_timestamp;
  if (IsConcealed(frame)) {
    Distrust(time);
  } else if (distrusted_ && IsKeyframe(frame) && time > distrusted_until_) {
    distrusted_ = false;
  }
  return !distrusted_ && (frame.flags & AV_FRAME_FLAG_DISCARD) == 0;
}

const AVFrame* VideoStream::NextFrame() {
  if (!decoder_) OpenDecoder();
  for (int errors = 0; errors < kMostErrorsWhileDraining;) {
    const int got = avcodec_receive_frame(decoder_.get(), frame_.get());
    if (got == AVERROR_EOF) return nullptr;
    if (got == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (got >= 0 && IsToBeTrusted(*frame_)) return frame_.get();
    if (got >= 0) continue;
    if (got != AVERROR(EAGAIN)) Distrust(read_until_);
    if (drained_) {
      ++errors;
      continue;
    }
    const AVPacket* packet = NextPacket();
    drained_ = packet == nullptr;
    const int sent = avcodec_send_packet(decoder_.get(), packet);
    if (sent == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (sent < 0) Distrust(read_until_);
  }
  return nullptr;
}

bool VideoStream::Seek(int64_t time) {
  if (av_seek_frame(format_.get(), stream_->index, time, AVSEEK_FLAG_BACKWARD) < 0) return false;
  if (decoder_) avcodec_flush_buffers(decoder_.get());
  drained_ = distrusted_ = false;
  read_until_ = std::numeric_limits<int64_t>::min();
  return true;
}

Picture VideoStream::ToPicture(const AVFrame& frame) const {
  const AVRational aspect =
      av_guess_sample_aspect_ratio(format_.get(), stream_, const_cast<AVFrame*>(&frame));
  return PictureOfFrame(frame, {aspect.num, aspect.den}, StreamMatrix(*stream_), file_.name());
}

void VideoStream::OpenContainer() {
  static const bool silenced = [] {
    av_log_set_level(AV_LOG_QUIET);
    return true;
  }();
  static_cast<void>(silenced);
  constexpr int kIoBuffer = 1 << 16;
  file_.position_ = 0;
  auto* buffer = static_cast<uint8_t*>(OrOutOfMemory(av_malloc(kIoBuffer)));
  io_.reset(OrOutOfMemory(avio_alloc_context(buffer, kIoBuffer, 0, &file_, VideoFile::ReadIo,
                                             nullptr, VideoFile::SeekIo)));
  AVFormatContext* format = OrOutOfMemory(avformat_alloc_context());
  format->pb = io_.get();
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  format->io_open = RefuseToOpen;
  format->format_whitelist = av_strdup(kVideoContainers);
  format->codec_whitelist = av_strdup(kVideoCodecs);
  const int opened = avformat_open_input(&format, nullptr, nullptr, nullptr);  // frees on failure
  file_.CheckDisk();
  if (opened == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (opened < 0) {
    if (file_.size() == 0) throw Error("is empty", file_.name(), "Copy the video again.");
    throw Error("cannot be opened as a video", file_.name(),
                "It is of a kind that is not read, or damaged, or a part is missing (an mp4 or mov "
                "whose end is missing often cannot be read at all). Copy it again, or convert it.");
  }
  format_.reset(format);
  avformat_find_stream_info(format_.get(), nullptr);
  file_.CheckDisk();
}

void VideoStream::OpenDecoder() {
  const AVCodecParameters& parameters = *stream_->codecpar;
  const std::string codec = Printable(avcodec_get_name(parameters.codec_id));
  const char* hint = "Convert it, for instance with: ffmpeg -i VIDEO -c:v libx264 -crf 10 NEW.mp4";
  const AVCodec* decoder = avcodec_find_decoder(parameters.codec_id);
  if (decoder == nullptr) {
    throw Error(fmt::format("its codec is not read ({})", codec), file_.name(), hint);
  }
  decoder_.reset(OrOutOfMemory(avcodec_alloc_context3(decoder)));
  decoder_->codec_whitelist = av_strdup(kVideoCodecs);
  decoder_->pkt_timebase = stream_->time_base;
  decoder_->max_pixels = kMostVideoPixels;
  decoder_->thread_count = std::min(ThreadCount(), kMostDecoderThreads);
  int opened = avcodec_parameters_to_context(decoder_.get(), &parameters);
  if (opened >= 0) opened = avcodec_open2(decoder_.get(), decoder, nullptr);
  if (opened == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (opened < 0) {
    throw Error(fmt::format("its codec is not read ({}: {})", codec, AvErrorText(opened)),
                file_.name(), hint);
  }
}

// Names the streams of a file without video: "; it holds audio (aac)". "" if it has none.
std::string VideoStream::ContentText() const {
  constexpr unsigned kMostNamed = 8;
  std::string text;
  for (unsigned i = 0; i < std::min(format_->nb_streams, kMostNamed); ++i) {
    const AVCodecParameters& parameters = *format_->streams[i]->codecpar;
    const bool cover = parameters.codec_type == AVMEDIA_TYPE_VIDEO;
    const char* kind = av_get_media_type_string(parameters.codec_type);
    text += fmt::format("{}{} ({})", text.empty() ? "; it holds " : ", ",
                        cover             ? "a cover picture"
                        : kind == nullptr ? "data"
                                          : kind,
                        Printable(avcodec_get_name(parameters.codec_id)));
  }
  return text;
}

}  // namespace vggt
