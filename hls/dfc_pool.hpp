// Maximum (Mode 0), minimum (1) or sum (2) of K elements, for Folds groups of Pe channels that take turns.
// One call moves `frames` frames: of each, Positions * K * Folds iterations of one loop at II = 1.
#pragma once

#include "dfc_widen.hpp"

namespace dfc {

template <int Mode, int Positions, int K, int Folds, int Pe, int InBits, int InSigned, int InBipolar, int OutBits, int OutBipolar>
void pool(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames) {
  static_assert(Mode >= 0 && Mode <= 2, "dfc::pool: Mode must be 0, 1 or 2");
  static_assert(OutBits >= InBits, "dfc::pool: the output type must hold the input type");
  constexpr bool Signed = InSigned != 0 && OutBipolar == 0;  // the patterns of a bipolar type are ordered like numbers without sign
  ap_uint<Pe * OutBits> sums[Folds];
  int fold = 0, k = 0;
  for (FrameSteps<long(Positions) * K * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * OutBits> beat = widen<Pe, InBits, InSigned, InBipolar, OutBits, OutBipolar>(in.read());
    const ap_uint<Pe * OutBits> held = k == 0 ? beat : sums[fold];
    ap_uint<Pe * OutBits> after = beat;
    if (k > 0) {
      for (int p = 0; p < Pe; p++) {
        DFC_UNROLL
        const integer<OutBits, Signed> a = as_integer<Signed>(element<OutBits>(beat, p));
        const integer<OutBits, Signed> b = as_integer<Signed>(element<OutBits>(held, p));
        const integer<OutBits, Signed> found = Mode == 2 ? integer<OutBits, Signed>(a + b) : (a < b) == (Mode == 1) ? a : b;
        set_element<OutBits>(after, p, ap_uint<OutBits>(found));
      }
    }
    sums[fold] = after;
    if (k == K - 1) out.write(after);
    if (fold == Folds - 1) {
      fold = 0;
      k = k == K - 1 ? 0 : k + 1;
    } else {
      fold++;
    }
  }
}

}  // namespace dfc
