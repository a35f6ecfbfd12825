// Matrix-vector-threshold unit of whole vectors: Mh sums of Mw inputs at each of Vectors positions, by adders of constants.
// One call moves `frames` frames, each Vectors iterations of one loop at II = 1.
#pragma once

#include "dfc_arithmetic.hpp"

namespace dfc {

// Sums: what adds, generated from the weights. Thresholds: none, where the outputs are the sums, or the banks of `Codes`.
template <class Sums, int Vectors, int Mh, int Mw, int InBits, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits,
          int ThreshShift, int ThreshShared, int Flip, int OutBits, int OutSigned, int ThresholdsStyle, class... Thresholds>
void mvtu_graph(hls::stream<ap_uint<Mw * InBits>>& in, hls::stream<ap_uint<Mh * OutBits>>& out, frames_t frames,
                const Thresholds&... thresholds) {
  DFC_INLINE
  using Acc = integer<AccBits, AccSigned != 0>;
  using Code = Codes<1, AccBits, AccSigned, ThreshBits, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutBits, OutSigned, 0, Mw,
                     ThresholdsStyle>;
  bind_banks<ThresholdsStyle>(thresholds...);
  // Carried: a counter alone.
  for (FrameSteps<Vectors> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    Acc sums[Mh];
    DFC_PARTITION(sums)
    Sums::add(in.read(), sums);
    ap_uint<Mh * OutBits> results = 0;
    for (int p = 0; p < Mh; p++) {
      DFC_UNROLL
      set_element<OutBits>(results, p, Code::of(sums[p], 0, p, thresholds...));
    }
    out.write(results);
  }
}

}  // namespace dfc
