// Same elements with other lanes a beat; either side starts its lanes again after each run and pads the last beat of a run.
// One call moves `frames` frames: one loop at II = 1 whose iterations take a beat, give one, or both.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Elements, int Bits, int InLanes, int InRun, int OutLanes, int OutRun, int Hold>
void repack(hls::stream<ap_uint<InLanes * Bits>>& in, hls::stream<ap_uint<OutLanes * Bits>>& out, frames_t frames) {
  static_assert(Elements % InRun == 0 && Elements % OutRun == 0, "dfc::repack: InRun and OutRun must divide Elements");
  static_assert(Hold >= InLanes + OutLanes - 1, "dfc::repack: Hold must be at least InLanes + OutLanes - 1");
  ap_uint<Hold * Bits> hold = 0;  // elements that wait, from lane 0 up
  int level = 0;                  // how many
  int in_left = InRun, out_left = OutRun;  // elements left of the run
  int to_take = Elements, to_give = Elements;
  for (frames_t frame = 0; frame < frames;) {
    DFC_PIPELINE(1)
    const int need = min_of(out_left, OutLanes);
    // Neither side waits for the other, or branches that meet again could block each other.
    const bool takes = to_take > 0 && level <= Hold - InLanes && !in.empty();
    const bool gives = level >= need && !out.full();
    if (gives) {
      out.write(ap_uint<OutLanes * Bits>(hold));
      hold >>= need * Bits;
      level -= need;
      to_give -= need;
      out_left = out_left == need ? OutRun : out_left - need;
    }
    if (takes) {
      const int taken = min_of(in_left, InLanes);
      const ap_uint<Hold * Bits> beat = in.read();
      const ap_uint<Hold * Bits> kept = (ap_uint<Hold * Bits>(1) << (level * Bits)) - 1;
      hold = (hold & kept) | (beat << (level * Bits));
      level += taken;
      to_take -= taken;
      in_left = in_left == taken ? InRun : in_left - taken;
    }
    if (to_give == 0) {
      to_take = to_give = Elements;
      frame++;
    }
  }
}

}  // namespace dfc
