// Channels of one stream to two: of each position Folds0 beats to the first, then Folds1 to the second.
// One call moves `frames` frames: of each, Positions * (Folds0 + Folds1) iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Positions, int Folds0, int Folds1, int Width>
void split(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out0, hls::stream<ap_uint<Width>>& out1, frames_t frames) {
  DFC_INLINE
  Counter<Folds0 + Folds1> fold;  // all that is carried: one increment, so II = 1
  for (FrameSteps<long(Positions) * (Folds0 + Folds1)> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Width> word = in.read();
    if (fold < Folds0) {
      out0.write(word);
    } else {
      out1.write(word);
    }
    fold.next();
  }
}

}  // namespace dfc
