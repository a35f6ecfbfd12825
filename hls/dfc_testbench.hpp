// Beats between streams and files, one beat a line in hex; for test benches only.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "dfc_common.hpp"

namespace dfc {

[[noreturn]] inline void give_up(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(4);
}

// A file of beats of Width bits.
template <int Width>
class BeatFile {
 public:
  BeatFile(const std::string& path, const char* mode) : path_(path), file_(std::fopen(path.c_str(), mode)), line_(Digits + 1, '\n') {
    if (!file_) give_up("cannot open " + path);
  }
  ~BeatFile() { std::fclose(file_); }
  BeatFile(const BeatFile&) = delete;
  BeatFile& operator=(const BeatFile&) = delete;

  // False at the end of the file.
  bool read(ap_uint<Width>& beat) {
    const std::size_t got = std::fread(line_.data(), 1, Digits + 1, file_);
    if (got == 0) return false;
    if (got != Digits + 1 || line_[Digits] != '\n') give_up(path_ + ": not lines of " + std::to_string(Digits) + " hex digits");
    for (int low = 0; low < Width; low += 64) {
      std::uint64_t limb = 0;
      for (int d = min_of(low / 4 + 16, Digits) - 1; d >= low / 4; --d) limb = limb << 4 | digit(line_[Digits - 1 - d]);
      beat.range(min_of(low + 63, Width - 1), low) = ap_uint<64>(limb);
    }
    return true;
  }

  void write(const ap_uint<Width>& beat) {
    for (int low = 0; low < Width; low += 64) {
      std::uint64_t limb = ap_uint<64>(beat.range(min_of(low + 63, Width - 1), low)).to_uint64();
      for (int d = low / 4; d < min_of(low / 4 + 16, Digits); ++d, limb >>= 4) line_[Digits - 1 - d] = "0123456789abcdef"[limb & 15];
    }
    std::fwrite(line_.data(), 1, Digits + 1, file_);
  }

  // Move `count` beats of the file into a stream; false when the file has ended.
  bool feed(hls::stream<ap_uint<Width>>& stream, long count) {
    ap_uint<Width> beat;
    for (long i = 0; i < count; ++i) {
      if (!read(beat)) {
        if (i == 0) return false;
        give_up(path_ + ": ends within a frame");
      }
      stream.write(beat);
    }
    return true;
  }

  // Move `frames` frames of `count` beats of a stream into the file, the first of them number `first`; the stream must be empty then.
  void drain(hls::stream<ap_uint<Width>>& stream, long count, long first, frames_t frames) {
    for (long i = 0; i < count * frames; ++i) {
      if (stream.empty()) give_up(path_ + ": frame " + std::to_string(first + i / count) + " has only " + std::to_string(i % count) + " beats");
      write(stream.read());
    }
    if (!stream.empty()) give_up(path_ + ": frame " + std::to_string(first + frames - 1) + " has too many beats");
  }

  // Compare them with the file; the number of beats that differ.
  long compare(hls::stream<ap_uint<Width>>& stream, long count, long first, frames_t frames) {
    long wrong = 0;
    ap_uint<Width> golden;
    for (long i = 0; i < count * frames; ++i) {
      const long frame = first + i / count;
      if (stream.empty() || !read(golden)) give_up(path_ + ": frame " + std::to_string(frame) + ": too few beats");
      if (stream.read() == golden) continue;
      if (wrong++ == 0) std::printf("%s: frame %ld, beat %ld differs\n", path_.c_str(), frame, i % count);
    }
    if (!stream.empty()) give_up(path_ + ": frame " + std::to_string(first + frames - 1) + " has too many beats");
    return wrong;
  }

 private:
  static constexpr int Digits = (Width + 3) / 4;
  static std::uint64_t digit(char c) { return static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10); }

  std::string path_;
  std::FILE* file_;
  std::vector<char> line_;
};

}  // namespace dfc
