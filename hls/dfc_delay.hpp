// A stream one pixel later: of each frame first a pixel of First in all lanes, then all pixels but the last one, which is dropped.
// One call moves `frames` frames: of each, (Pixels + 1) * Folds iterations of one loop at II = 1. The loop that it closes is one of streams
// between processes that run at once, each read waiting for its beat.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Pixels, int Folds, int Width, int Bits, int First>
void delay(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, frames_t frames) {
  DFC_INLINE
  ap_uint<Width> first = 0;
  for (int i = 0; i < Width / Bits; i++) {
    DFC_UNROLL
    set_element<Bits>(first, i, ap_uint<Bits>(First));
  }
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

}  // namespace dfc
