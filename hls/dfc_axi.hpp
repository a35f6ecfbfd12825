// AXI4-Stream ports of a design: beats padded to a power of two of bytes on the outside, plain streams inside.
#pragma once

#include "dfc_common.hpp"

#include <ap_axi_sdata.h>

namespace dfc {

template <int PortBits>
using AxiBeat = ap_axiu<PortBits, 0, 0, 0>;

// From a port: padding above Width is dropped, TKEEP and TLAST are not looked at.
template <int Beats, int Width, int PortBits>
void take_beats(hls::stream<AxiBeat<PortBits>>& in, hls::stream<ap_uint<Width>>& out, frames_t frames) {
  for (FrameSteps<Beats> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const AxiBeat<PortBits> beat = in.read();
    out.write(ap_uint<Width>(beat.data));
  }
}

// To a port: padding is zero, every byte is kept, TLAST comes with the last beat of the last frame.
template <int Beats, int Width, int PortBits>
void give_beats(hls::stream<ap_uint<Width>>& in, hls::stream<AxiBeat<PortBits>>& out, frames_t frames) {
  for (FrameSteps<Beats> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    AxiBeat<PortBits> beat;
    beat.data = in.read();
    beat.keep = -1;
    beat.strb = -1;
    beat.last = step.is_last() ? 1 : 0;
    out.write(beat);
  }
}

}  // namespace dfc
