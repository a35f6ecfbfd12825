// A strict stand-in for ap_axi_sdata.h: a beat of AXI4-Stream without side channels. For the conformance check alone.
#pragma once

#include "ap_int.h"

template <int D, int U, int TI, int TD>
struct ap_axiu {
  static_assert(D % 8 == 0 && U == 0 && TI == 0 && TD == 0, "ap_axiu: whole bytes and no side channels");
  ap_uint<D> data;
  ap_uint<D / 8> keep, strb;
  ap_uint<1> last;
};
