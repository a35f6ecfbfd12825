// Same elements with another number of lanes a beat, any ratio.
// One call moves `frames` frames: of each, max(beats in, beats out) iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Elements, int Bits, int InLanes, int OutLanes>
void width_converter(hls::stream<ap_uint<InLanes * Bits>>& in, hls::stream<ap_uint<OutLanes * Bits>>& out, frames_t frames) {
  static_assert(Elements % InLanes == 0 && Elements % OutLanes == 0, "dfc::width_converter: InLanes and OutLanes must divide Elements");
  constexpr int AllLanes = InLanes + OutLanes;
  ap_uint<AllLanes * Bits> all = 0;  // elements that wait, from lane 0 up
  int level = 0;                     // how many
  for (FrameSteps<Elements / min_of(InLanes, OutLanes)> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    if (InLanes < OutLanes || level < OutLanes) {
      const ap_uint<AllLanes * Bits> beat = in.read();
      all |= beat << (level * Bits);
      level += InLanes;
    }
    if (level >= OutLanes) {
      out.write(ap_uint<OutLanes * Bits>(all));
      all >>= OutLanes * Bits;
      level -= OutLanes;
    }
  }
}

}  // namespace dfc
