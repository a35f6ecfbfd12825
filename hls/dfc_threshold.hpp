// Thresholds on a stream: each element becomes the code of its channel's thresholds.
// One call moves `frames` frames: of each, Vectors * folds iterations of one loop at II = 1.
#pragma once

#include "dfc_arithmetic.hpp"

namespace dfc {

template <int Vectors, int Channels, int Pe, int InBits, int InSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits,
          int OutSigned, int ThresholdsStyle, int Slots>
void threshold(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
               const ap_uint<ThreshBits> Thresholds[threshold_depth<ThresholdsStyle, OutBits, ThreshShared>(Pe, ceil_div(Channels, Pe))],
               frames_t frames) {
  static_assert(Pe <= Channels, "dfc::threshold: there are at most Channels lanes");
  DFC_PARTITION_BLOCK(Thresholds, (threshold_depth<ThresholdsStyle, OutBits, ThreshShared>(Pe, 1)))
  constexpr int Folds = ceil_div(Channels, Pe);
  int fold = 0;
  for (FrameSteps<long(Vectors) * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> inputs = in.read();
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const ap_uint<OutBits> code = threshold_code<ThreshShared ? 1 : Folds, InBits, InSigned, ThreshBits, ThreshFactorBits,
                              ThreshShift, Flip, OutBits, OutSigned, ThresholdsStyle>(
          as_integer<InSigned != 0>(element<InBits>(inputs, p)), Thresholds, ThreshShared ? 0 : fold, ThreshShared ? 0 : p);
      set_element<OutBits>(results, p, code);
    }
    out.write(results);
    fold = fold == Folds - 1 ? 0 : fold + 1;
  }
}

}  // namespace dfc
