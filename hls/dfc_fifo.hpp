// First in, first out. Its depth is that of the streams at its sides.
// One call is one frame: Beats iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Width, int Depth, int Style, int Beats>
void fifo(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out) {
  static_assert(Depth >= 1, "dfc::fifo: Depth must be at least 1");
  for (int beat = 0; beat < Beats; beat++) {
    DFC_PIPELINE(1)
    out.write(in.read());
  }
}

}  // namespace dfc
