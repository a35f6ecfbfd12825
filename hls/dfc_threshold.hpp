// Thresholds on a stream: each element becomes the code of its channel's thresholds.
// One call moves `frames` frames: of each, Vectors * folds iterations of one loop at II = 1.
#pragma once

#include "dfc_arithmetic.hpp"

namespace dfc {

template <int Vectors, int Channels, int Pe, int InBits, int InSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits, int OutSigned, int ThresholdsStyle, class... Thresholds>
void threshold(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames,
               const Thresholds&... thresholds) {
  DFC_INLINE
  static_assert(Pe <= Channels, "dfc::threshold: there are at most Channels lanes");
  constexpr int Folds = ceil_div(Channels, Pe);
  using Code = Codes<Folds, InBits, InSigned, ThreshBits, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutBits, OutSigned, 0, 0,
                     ThresholdsStyle>;
  bind_banks<ThresholdsStyle>(thresholds...);

  Counter<Folds> fold;  // all that is carried: one increment, so II = 1
  for (FrameSteps<long(Vectors) * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> inputs = in.read();
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      set_element<OutBits>(results, p, Code::of(as_integer<InSigned != 0>(element<InBits>(inputs, p)), fold, p, thresholds...));
    }
    out.write(results);
    fold.next();
  }
}

}  // namespace dfc
