// One stream to two readers.
// One call moves `frames` frames: of each, Beats iterations of one loop at II = 1: nothing is carried from one to the next.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Beats, int Width>
void fork(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out0, hls::stream<ap_uint<Width>>& out1, frames_t frames) {
  DFC_INLINE
  for (FrameSteps<Beats> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Width> word = in.read();
    out0.write(word);
    out1.write(word);
  }
}

}  // namespace dfc
