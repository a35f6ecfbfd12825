// A stream one pixel later: of each frame first a pixel of First in all lanes, then all pixels but the last one, which is dropped.
// One call moves `frames` frames: of each, (Pixels + 1) * Folds iterations of one loop at II = 1. The loop that it closes is one of streams
// between processes that run at once, each read waiting for its beat.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

// All lanes of a beat First.
template <int Width, int Bits, int First>
inline ap_uint<Width> first_beat() {
  DFC_INLINE
  ap_uint<Width> first = 0;
  for (int i = 0; i < Width / Bits; i++) {
    DFC_UNROLL
    set_element<Bits>(first, i, ap_uint<Bits>(First));
  }
  return first;
}

template <int Pixels, int Folds, int Width, int Bits, int First, int Keep>
void delay(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, frames_t frames) {
  static_assert(!Keep, "dfc::delay: what is kept has a place");
  DFC_INLINE
  const ap_uint<Width> first = first_beat<Width, Bits, First>();
  Counter<Folds> fold;
  Counter<Pixels + 1> pixel;  // both counters are all that is carried
  for (FrameSteps<long(Pixels + 1) * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    ap_uint<Width> word = first;
    if (pixel != 0) word = in.read();
    if (!pixel.last()) out.write(word);
    if (fold.next()) pixel.next();
  }
}

// The last pixel is kept instead, also between calls, and is the first one of the next frame. A call that restarts begins with First.
template <int Pixels, int Folds, int Width, int Bits, int First, int Keep>
void delay(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, frames_t frames, bool restart, ap_uint<Width> (&kept)[Folds]) {
  static_assert(Keep, "dfc::delay: nothing is kept");
  DFC_INLINE
  const ap_uint<Width> first = first_beat<Width, Bits, First>();
  Counter<Folds> fold;
  Counter<Pixels + 1> pixel;
  ap_uint<1> fresh = restart;  // carried too, and `kept`: written in the last pixel of a frame, read Folds iterations later
  for (FrameSteps<long(Pixels + 1) * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(kept, Folds)
    ap_uint<Width> word = fresh ? first : kept[fold];
    if (pixel != 0) word = in.read();
    if (!pixel.last()) out.write(word);
    else kept[fold] = word;
    if (fold.next()) {
      fresh = 0;
      pixel.next();
    }
  }
}

}  // namespace dfc
