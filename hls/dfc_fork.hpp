// One stream to two readers.
// One call is one frame: Beats iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Beats, int Width>
void fork(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out0, hls::stream<ap_uint<Width>>& out1) {
  for (int beat = 0; beat < Beats; beat++) {
    DFC_PIPELINE(1)
    const ap_uint<Width> word = in.read();
    out0.write(word);
    out1.write(word);
  }
}

}  // namespace dfc
