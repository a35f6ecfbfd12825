// Elementwise product of two streams, exact in OutBits.
// One call moves `frames` frames: of each, Beats iterations of one loop at II = 1: nothing is carried from one to the next.
#pragma once

#include "dfc_widen.hpp"

namespace dfc {

template <int Beats, int Lanes, int Bits0, int Signed0, int Bipolar0, int Bits1, int Signed1, int Bipolar1, int OutBits>
void multiply(hls::stream<ap_uint<Lanes * Bits0>>& in0, hls::stream<ap_uint<Lanes * Bits1>>& in1, hls::stream<ap_uint<Lanes * OutBits>>& out, frames_t frames) {
  DFC_INLINE
  for (FrameSteps<Beats> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Lanes * Bits0> a = in0.read();
    const ap_uint<Lanes * Bits1> b = in1.read();
    ap_uint<Lanes * OutBits> products = 0;
    for (int i = 0; i < Lanes; i++) {
      DFC_UNROLL
      // One bit more makes every operand a signed number.
      const ap_int<Bits0 + 1> x = widen_element<Bits0, Signed0, Bipolar0, Bits0 + 1, 0>(element<Bits0>(a, i));
      const ap_int<Bits1 + 1> y = widen_element<Bits1, Signed1, Bipolar1, Bits1 + 1, 0>(element<Bits1>(b, i));
      const ap_int<OutBits> product = x * y;
      set_element<OutBits>(products, i, ap_uint<OutBits>(product));
    }
    out.write(products);
  }
}

}  // namespace dfc
