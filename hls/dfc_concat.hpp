// Channels of two streams side by side: of each position Folds0 beats from the first, then Folds1 from the second.
// One call moves `frames` frames: of each, Positions * (Folds0 + Folds1) iterations of one loop at II = 1.
#pragma once

#include "dfc_widen.hpp"

namespace dfc {

template <int Positions, int Folds0, int Folds1, int Lanes, int Bits0, int Signed0, int Bipolar0, int Bits1, int Signed1, int Bipolar1,
          int OutBits, int OutBipolar>
void concat(hls::stream<ap_uint<Lanes * Bits0>>& in0, hls::stream<ap_uint<Lanes * Bits1>>& in1, hls::stream<ap_uint<Lanes * OutBits>>& out, frames_t frames) {
  DFC_INLINE
  static_assert(OutBits >= Bits0 && OutBits >= Bits1, "dfc::concat: the output type must hold both input types");
  Counter<Folds0 + Folds1> fold;  // all that is carried: one increment, so II = 1
  for (FrameSteps<long(Positions) * (Folds0 + Folds1)> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    if (fold < Folds0) {
      out.write(widen<Lanes, Bits0, Signed0, Bipolar0, OutBits, OutBipolar>(in0.read()));
    } else {
      out.write(widen<Lanes, Bits1, Signed1, Bipolar1, OutBits, OutBipolar>(in1.read()));
    }
    fold.next();
  }
}

}  // namespace dfc
