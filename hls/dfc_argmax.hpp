// Index of the largest of Channels elements, Pe of them a beat; of equal ones the first, or the last.
// One call moves `frames` frames: of each, Positions * (Channels/Pe) iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Positions, int Channels, int Pe, int InBits, int InSigned, int OutBits, int SelectLast>
void argmax(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<OutBits>>& out, frames_t frames) {
  static_assert(Channels % Pe == 0, "dfc::argmax: Pe must divide Channels");
  using value = integer<InBits, InSigned != 0>;
  value best = 0;
  int index = 0, base = 0;
  for (FrameSteps<long(Positions) * (Channels / Pe)> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> beat = in.read();
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const value x = as_integer<InSigned != 0>(element<InBits>(beat, p));
      if ((base == 0 && p == 0) || (SelectLast ? x >= best : x > best)) {
        best = x;
        index = base + p;
      }
    }
    base += Pe;
    if (base == Channels) {
      out.write(ap_uint<OutBits>(index));
      base = 0;
    }
  }
}

}  // namespace dfc
