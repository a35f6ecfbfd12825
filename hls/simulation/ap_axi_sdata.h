// What the top needs of ap_axi_sdata.h, for compilers without a vendor's headers: a beat of AXI4-Stream without side channels.
// HLS tools have their own; this folder is for the Makefile alone.
#pragma once

#include <ap_int.h>

template <int Width, int UserBits, int IdBits, int DestBits>
struct ap_axiu {
  static_assert(UserBits == 0 && IdBits == 0 && DestBits == 0, "ap_axiu: side channels are not simulated");
  ap_uint<Width> data;
  ap_uint<(Width + 7) / 8> keep, strb;
  ap_uint<1> last;
};
