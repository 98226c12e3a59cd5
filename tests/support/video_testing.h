// SPDX-License-Identifier: Apache-2.0
// Small videos for tests, made by FFmpeg's libraries. Each frame carries its number in its pixels.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "image/picture.h"

namespace vggt::testing {

inline constexpr int kNumberBits = 10, kBarWidth = 8;

struct TestVideo {
  std::vector<int64_t> times = {};  // of the frames, in milliseconds; none: no video in the file
  const char* codec = "mpeg4";
  AVPixelFormat format = AV_PIX_FMT_YUV420P;
  int width = kNumberBits * kBarWidth, height = 48;
  AVRational time_base = {1, 1000};
  int keyframe_each = 12, b_frames = 0;
  AVColorSpace colours = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  AVRational aspect = {1, 1};
  bool interlaced = false;
  bool default_stream = true;
  std::optional<std::array<int32_t, 9>> matrix = {};
  // Fills a frame; empty: bars that are bright where its number has a 1, the lowest bit first.
  std::function<void(AVFrame& frame, int number)> paint = {};
};

// `count` frames, `step` milliseconds apart.
inline std::vector<int64_t> Steady(int count, int64_t step) {
  std::vector<int64_t> times;
  for (int i = 0; i < count; ++i) times.push_back(i * step);
  return times;
}

// Which frame this is, by its bars; -1 if they are neither bright nor dark.
inline int NumberIn(const Picture& picture) {
  int number = 0;
  for (int bit = 0; bit < kNumberBits; ++bit) {
    const int x = (2 * bit + 1) * picture.width / (2 * kNumberBits);
    const uint8_t value = picture.rgb[3 * (size_t(picture.height / 2) * picture.width + x) + 1];
    if (value > 80 && value < 170) return -1;
    if (value >= 170) number |= 1 << bit;
  }
  return number;
}

class VideoMaker {
 public:
  explicit VideoMaker(const std::filesystem::path& path) : path_(path.string()) {
    av_log_set_level(AV_LOG_QUIET);
    Check(avformat_alloc_output_context2(&format_, nullptr, nullptr, path_.c_str()));
    packet_ = av_packet_alloc();
  }
  VideoMaker(const VideoMaker&) = delete;
  VideoMaker& operator=(const VideoMaker&) = delete;
  ~VideoMaker() {
    for (AVCodecContext* encoder : encoders_) avcodec_free_context(&encoder);
    av_packet_free(&packet_);
    if (format_->pb != nullptr) avio_closep(&format_->pb);
    avformat_free_context(format_);
  }

  // All streams are added before Finish, which writes the file.
  void Add(TestVideo video) {
    const AVCodec* codec = avcodec_find_encoder_by_name(video.codec);
    if (codec == nullptr) throw std::runtime_error(std::string("no encoder ") + video.codec);
    AVCodecContext* encoder = avcodec_alloc_context3(codec);
    encoders_.push_back(encoder);
    encoder->width = video.width;
    encoder->height = video.height;
    encoder->pix_fmt = video.format;
    encoder->time_base = video.time_base;
    encoder->gop_size = video.keyframe_each;
    encoder->max_b_frames = video.b_frames;
    encoder->colorspace = video.colours;
    encoder->color_range = video.range;
    encoder->sample_aspect_ratio = video.aspect;
    encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    encoder->global_quality = 6 * FF_QP2LAMBDA;
    encoder->flags |= AV_CODEC_FLAG_QSCALE;
    encoder->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
    if (video.interlaced) encoder->flags |= AV_CODEC_FLAG_INTERLACED_DCT;
    AVStream* stream = AddStream(encoder);
    stream->sample_aspect_ratio = video.aspect;
    stream->disposition = video.default_stream ? AV_DISPOSITION_DEFAULT : 0;
    if (video.matrix) {
      const size_t size = sizeof(*video.matrix);
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
      uint8_t* data = av_packet_side_data_new(&stream->codecpar->coded_side_data,
                                              &stream->codecpar->nb_coded_side_data,
                                              AV_PKT_DATA_DISPLAYMATRIX, size, 0)
                          ->data;
#else
      uint8_t* data = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, size);
#endif
      std::memcpy(data, video.matrix->data(), size);
    }
    videos_.emplace_back(encoders_.size() - 1, std::move(video));
  }

  // A second of silence.
  void AddAudio() {
    AVCodecContext* encoder = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_AAC));
    encoders_.push_back(encoder);
    encoder->sample_rate = 8000;
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&encoder->ch_layout, 1);
    encoder->time_base = {1, 8000};
    AddStream(encoder);
    audio_ = encoders_.size() - 1;
  }

  // A still picture that stands for the whole file.
  void AddCover(const std::string& png, int width, int height) {
    AVStream* stream = avformat_new_stream(format_, nullptr);
    stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    stream->codecpar->codec_id = AV_CODEC_ID_PNG;
    stream->codecpar->width = width;
    stream->codecpar->height = height;
    stream->disposition = AV_DISPOSITION_ATTACHED_PIC;
    encoders_.push_back(nullptr);
    cover_ = png;
  }

  void Finish(const char* muxer_options = "") {
    Check(avio_open(&format_->pb, path_.c_str(), AVIO_FLAG_WRITE));
    AVDictionary* options = nullptr;
    av_dict_parse_string(&options, muxer_options, "=", ":", 0);
    format_->flags |= AVFMT_FLAG_BITEXACT;
    Check(avformat_write_header(format_, &options));
    av_dict_free(&options);
    if (!cover_.empty()) WriteCover();
    for (const auto& [index, video] : videos_) {
      for (size_t i = 0; i < video.times.size(); ++i)
        EncodeFrame(index, video, static_cast<int>(i));
      Encode(index, nullptr);
    }
    if (audio_) EncodeSilence(*audio_);
    Check(av_write_trailer(format_));
    avio_closep(&format_->pb);
  }

 private:
  static void Check(int result) {
    if (result >= 0) return;
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(result, text, sizeof(text));
    throw std::runtime_error(std::string("FFmpeg: ") + text);
  }

  AVStream* AddStream(AVCodecContext* encoder) {
    if ((format_->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
      encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    Check(avcodec_open2(encoder, encoder->codec, nullptr));
    AVStream* stream = avformat_new_stream(format_, nullptr);
    stream->time_base = encoder->time_base;
    Check(avcodec_parameters_from_context(stream->codecpar, encoder));
    return stream;
  }

  void EncodeFrame(size_t index, const TestVideo& video, int number) {
    AVFrame* frame = av_frame_alloc();
    frame->format = video.format;
    frame->width = video.width;
    frame->height = video.height;
    frame->pts = av_rescale_q(video.times[static_cast<size_t>(number)], {1, 1000}, video.time_base);
    frame->quality = encoders_[index]->global_quality;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    if (video.interlaced) frame->flags |= AV_FRAME_FLAG_INTERLACED | AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
    frame->interlaced_frame = frame->top_field_first = video.interlaced ? 1 : 0;
#endif
    Check(av_frame_get_buffer(frame, 0));
    if (video.paint) {
      video.paint(*frame, number);
    } else {
      PaintNumber(*frame, number);
    }
    Encode(index, frame);
    av_frame_free(&frame);
  }

  // Planar YUV.
  static void PaintNumber(AVFrame& frame, int number) {
    for (int plane = 1; plane < 3; ++plane) {
      for (int y = 0; y < (frame.height + 1) / 2; ++y) {
        std::memset(frame.data[plane] + y * frame.linesize[plane], 128, (frame.width + 1) / 2);
      }
    }
    for (int y = 0; y < frame.height; ++y) {
      for (int x = 0; x < frame.width; ++x) {
        const int bit = x * kNumberBits / frame.width;
        frame.data[0][y * frame.linesize[0] + x] = (number >> bit) & 1 ? 235 : 16;
      }
    }
  }

  void EncodeSilence(size_t index) {
    AVCodecContext* encoder = encoders_[index];
    AVFrame* frame = av_frame_alloc();
    frame->format = encoder->sample_fmt;
    frame->nb_samples = encoder->frame_size;
    frame->sample_rate = encoder->sample_rate;
    av_channel_layout_copy(&frame->ch_layout, &encoder->ch_layout);
    Check(av_frame_get_buffer(frame, 0));
    std::memset(frame->data[0], 0, sizeof(float) * static_cast<size_t>(frame->nb_samples));
    for (int64_t at = 0; at < encoder->sample_rate; at += frame->nb_samples) {
      frame->pts = at;
      Encode(index, frame);
    }
    Encode(index, nullptr);
    av_frame_free(&frame);
  }

  void WriteCover() {
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
      if (format_->streams[i]->disposition != AV_DISPOSITION_ATTACHED_PIC) continue;
      Check(av_new_packet(packet_, static_cast<int>(cover_.size())));
      std::memcpy(packet_->data, cover_.data(), cover_.size());
      packet_->stream_index = static_cast<int>(i);
      packet_->flags |= AV_PKT_FLAG_KEY;
      packet_->pts = packet_->dts = 0;
      Check(av_interleaved_write_frame(format_, packet_));
    }
  }

  void Encode(size_t index, const AVFrame* frame) {
    Check(avcodec_send_frame(encoders_[index], frame));
    const AVStream* stream = format_->streams[index];
    while (avcodec_receive_packet(encoders_[index], packet_) >= 0) {
      packet_->stream_index = static_cast<int>(index);
      // Of the last frame, which mp4 would not show for no time.
      if (packet_->duration == 0) packet_->duration = encoders_[index]->time_base.den / 25;
      av_packet_rescale_ts(packet_, encoders_[index]->time_base, stream->time_base);
      Check(av_interleaved_write_frame(format_, packet_));
    }
  }

  std::string path_, cover_;
  AVFormatContext* format_ = nullptr;
  AVPacket* packet_ = nullptr;
  std::vector<AVCodecContext*> encoders_;  // one for each stream
  std::vector<std::pair<size_t, TestVideo>> videos_;
  std::optional<size_t> audio_;
};

inline void WriteVideo(const std::filesystem::path& path, TestVideo video,
                       const char* muxer_options = "") {
  VideoMaker maker(path);
  maker.Add(std::move(video));
  maker.Finish(muxer_options);
}

}  // namespace vggt::testing
