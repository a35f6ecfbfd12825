// First in, first out. Its depth is that of the streams at its sides.
// One call moves `frames` frames: of each, Beats iterations of one loop at II = 1: nothing is carried from one to the next.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Width, int Beats>
void fifo(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, frames_t frames) {
  DFC_INLINE
  for (FrameSteps<Beats> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    out.write(in.read());
  }
}

}  // namespace dfc
