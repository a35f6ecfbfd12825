// Same elements with other lanes a beat; either side starts its lanes again after each run and pads the last beat of a run.
// One call is `frames` frames: one loop at II = 1 whose iterations take a beat, give one, or both, as `Pace` says; a frame takes as many
// as the longer side has beats.
#pragma once

#include "dfc_pace.hpp"

namespace dfc {

// Hold: most elements that wait.
template <int Elements, int Bits, int InLanes, int InRun, int OutLanes, int OutRun, int Hold, int Lead>
void repack(hls::stream<ap_uint<InLanes * Bits>>& in, hls::stream<ap_uint<OutLanes * Bits>>& out, frames_t frames) {
  static_assert(Elements % InRun == 0 && Elements % OutRun == 0, "dfc::repack: InRun and OutRun must divide Elements");
  constexpr long InBeats = long(Elements / InRun) * ceil_div(InRun, InLanes);
  constexpr long OutBeats = long(Elements / OutRun) * ceil_div(OutRun, OutLanes);
  ap_uint<Hold * Bits> hold = 0;    // elements that wait, from lane 0 up
  ranged<0, Hold> level = 0;        // how many
  ranged<0, InRun> in_left = InRun;  // elements left of the run
  ranged<0, OutRun> out_left = OutRun;
  for (Pace<InBeats, OutBeats, Lead> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    const int need = out_left < OutLanes ? int(out_left) : OutLanes;
    const bool gives = pace.gives(level >= need);
    const bool takes = pace.takes();
    const ap_uint<OutLanes * Bits> given = hold;
    if (gives) {
      hold >>= need * Bits;
      level -= need;
      out_left -= need;
      if (out_left == 0) out_left = OutRun;
    }
    if (takes) {
      const int taken = in_left < InLanes ? int(in_left) : InLanes;
      const ap_uint<Hold * Bits> beat = in.read();
      const ap_uint<Hold * Bits> kept = (ap_uint<Hold * Bits>(1) << (level * Bits)) - 1;
      hold = (hold & kept) | (beat << (level * Bits));
      level += taken;
      in_left -= taken;
      if (in_left == 0) in_left = InRun;
    }
    if (gives) out.write(given);
    pace.next(takes, gives);
  }
}

}  // namespace dfc
