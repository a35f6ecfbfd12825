// Weighted sum of two streams: Factor0 * a + Factor1 * b + Offset, exact in OutBits; each constant is High * 2^31 + Low.
// One call moves `frames` frames: of each, Beats iterations of one loop at II = 1: nothing is carried from one to the next.
#pragma once

#include "dfc_widen.hpp"

namespace dfc {

// A signed constant of 62 bits from three template arguments.
constexpr long long constant(int low, int high, int negative) {
  const long long magnitude = (static_cast<long long>(high) << 31) + low;
  return negative ? -magnitude : magnitude;
}

template <int Beats, int Lanes, int Bits0, int Signed0, int Bipolar0, int Factor0Low, int Factor0High, int Factor0Negative, int Bits1,
          int Signed1, int Bipolar1, int Factor1Low, int Factor1High, int Factor1Negative, int OffsetLow, int OffsetHigh,
          int OffsetNegative, int OutBits>
void add(hls::stream<ap_uint<Lanes * Bits0>>& in0, hls::stream<ap_uint<Lanes * Bits1>>& in1, hls::stream<ap_uint<Lanes * OutBits>>& out, frames_t frames) {
  DFC_INLINE
  // The sum fits OutBits, so everything before it may be cut to OutBits.
  constexpr int Wide0 = max_of(OutBits, Bits0) + 1, Wide1 = max_of(OutBits, Bits1) + 1;
  const ap_int<OutBits> factor0 = constant(Factor0Low, Factor0High, Factor0Negative);
  const ap_int<OutBits> factor1 = constant(Factor1Low, Factor1High, Factor1Negative);
  const ap_int<OutBits> offset = constant(OffsetLow, OffsetHigh, OffsetNegative);
  for (FrameSteps<Beats> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Lanes * Bits0> a = in0.read();
    const ap_uint<Lanes * Bits1> b = in1.read();
    ap_uint<Lanes * OutBits> sums = 0;
    for (int i = 0; i < Lanes; i++) {
      DFC_UNROLL
      const ap_int<OutBits> x = widen_element<Bits0, Signed0, Bipolar0, Wide0, 0>(element<Bits0>(a, i));
      const ap_int<OutBits> y = widen_element<Bits1, Signed1, Bipolar1, Wide1, 0>(element<Bits1>(b, i));
      const ap_int<OutBits> sum = x * factor0 + y * factor1 + offset;
      set_element<OutBits>(sums, i, ap_uint<OutBits>(sum));
    }
    out.write(sums);
  }
}

}  // namespace dfc
