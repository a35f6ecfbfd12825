// Beats between streams and files, one beat a line in hex; for test benches only.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "dfc_axi.hpp"

namespace dfc {

[[noreturn]] inline void give_up(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(4);
}

// Let units take turns at random, in streams as deep as in hardware.
inline void take_turns(std::uint32_t seed) {
#ifdef DFC_FIBERS
  Scheduler::get().shuffle(seed);
#else
  (void)seed;
#endif
}

// Take --seed=N from the arguments.
inline void take_seed(int& argc, char**& argv) {
  if (argc < 2 || std::strncmp(argv[1], "--seed=", 7) != 0) return;
  take_turns(std::uint32_t(std::strtoul(argv[1] + 7, nullptr, 10)));
  --argc;
  ++argv;
}

// A file of beats of Width bits, which pass a port of PortBits.
template <int Width, int PortBits>
class BeatFile {
 public:
  using Stream = hls::stream<AxiBeat<PortBits>>;

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
  bool feed(Stream& stream, long count) {
    ap_uint<Width> beat;
    for (long i = 0; i < count; ++i) {
      if (!read(beat)) {
        if (i == 0) return false;
        give_up(path_ + ": ends within a frame");
      }
      AxiBeat<PortBits> given;
      given.data = beat;
      given.keep = -1;
      given.strb = -1;
      given.last = 0;
      stream.write(given);
    }
    return true;
  }

  // Move `frames` frames of `count` beats of a stream into the file, the first of them number `first`; the stream must be empty then.
  void drain(Stream& stream, long count, long first, frames_t frames) {
    take(stream, count, first, frames, [&](const ap_uint<Width>& beat, long) { write(beat); });
  }

  // Compare them with the file; the number of beats that differ.
  long compare(Stream& stream, long count, long first, frames_t frames) {
    long wrong = 0;
    take(stream, count, first, frames, [&](const ap_uint<Width>& beat, long i) {
      ap_uint<Width> golden;
      if (!read(golden)) give_up(at(first + i / count) + "the file ends");
      if (beat == golden || wrong++) return;
      std::printf("%s: frame %ld, beat %ld differs\n", path_.c_str(), first + i / count, i % count);
    });
    return wrong;
  }

 private:
  // All beats of a batch, each held to what a DMA needs: zeros as padding, every byte kept, TLAST with the last one and no other.
  template <class Use>
  void take(Stream& stream, long count, long first, frames_t frames, const Use& use) {
    for (long i = 0; i < count * frames; ++i) {
      const long frame = first + i / count;
      if (stream.empty()) give_up(at(frame) + "only " + std::to_string(i % count) + " beats");
      const AxiBeat<PortBits> beat = stream.read();
      const ap_uint<Width> data = beat.data;
      if (beat.data != data) give_up(at(frame) + "padding is not zero");
      if (beat.keep != decltype(beat.keep)(-1)) give_up(at(frame) + "TKEEP is not all ones");
      if ((beat.last != 0) != (i == count * frames - 1)) give_up(at(frame) + "TLAST is wrong in beat " + std::to_string(i % count));
      use(data, i);
    }
    if (!stream.empty()) give_up(at(first + frames - 1) + "too many beats");
  }
  std::string at(long frame) const { return path_ + ": frame " + std::to_string(frame) + ": "; }

  static constexpr int Digits = (Width + 3) / 4;
  static std::uint64_t digit(char c) { return static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10); }

  std::string path_;
  std::FILE* file_;
  std::vector<char> line_;
};

}  // namespace dfc
