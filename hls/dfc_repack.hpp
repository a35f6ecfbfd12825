// Same elements with other lanes a beat; either side starts its lanes again after each run and pads the last beat of a run.
// One call is `frames` frames: one loop at II = 1 whose iterations take a beat, give one, or both, as `Pace` says; a frame takes as many
// as the longer side has beats. Elements move by constants alone: a beat that is given is a whole one or the last of a run, and one that
// is taken goes to one of the few places where elements can end.
#pragma once

#include "dfc_pace.hpp"

namespace dfc {

constexpr int gcd_of(int a, int b) { return b == 0 ? a : gcd_of(b, a % b); }

// Hold: most elements that wait.
template <int Elements, int Bits, int InLanes, int InRun, int OutLanes, int OutRun, int Hold, int Lead>
void repack(hls::stream<ap_uint<InLanes * Bits>>& in, hls::stream<ap_uint<OutLanes * Bits>>& out, frames_t frames) {
  static_assert(Elements % InRun == 0 && Elements % OutRun == 0, "dfc::repack: InRun and OutRun must divide Elements");
  constexpr int InBeats = ceil_div(InRun, InLanes), OutBeats = ceil_div(OutRun, OutLanes);             // of a run
  constexpr int InLast = InRun - (InBeats - 1) * InLanes, OutLast = OutRun - (OutBeats - 1) * OutLanes;  // elements of its last beat
  constexpr int Step = gcd_of(gcd_of(InLanes, InLast), gcd_of(OutLanes, OutLast));                     // elements move in so many
  constexpr int Places = (Hold - min_of(InLanes, InLast)) / Step + 1;
  using Waiting = ap_uint<Hold * Bits>;
  using Level = ranged<0, Hold / Step>;
  Waiting hold = 0;  // elements that wait, from lane 0 up; zeros above
  Level level = 0;   // how many steps of them
  Counter<InBeats> in_beat;
  Counter<OutBeats> out_beat;
  for (Pace<long(Elements / InRun) * InBeats, long(Elements / OutRun) * OutBeats, Lead> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    const bool out_last = out_beat.last();
    const Level need = out_last ? OutLast / Step : min_of(OutLanes, Hold) / Step;
    const bool gives = pace.gives(level >= need);
    const bool takes = pace.takes();
    const ap_uint<OutLanes * Bits> given = hold;
    if (gives) {
      hold = out_last ? Waiting(hold >> (OutLast * Bits)) : Waiting(hold >> (min_of(OutLanes, Hold) * Bits));
      level = Level(level - need);
      out_beat.next();
    }
    if (takes) {
      const ap_uint<InLanes * Bits> beat = in.read();
      const Waiting taken = in_beat.last() ? Waiting(ap_uint<InLast * Bits>(beat)) : Waiting(beat);
      for (int place = 0; place < Places; place++) {
        DFC_UNROLL
        if (level == place) hold |= Waiting(taken << (place * Step * Bits));
      }
      level = Level(level + (in_beat.last() ? InLast / Step : InLanes / Step));
      in_beat.next();
    }
    if (gives) out.write(given);
    pace.next(takes, gives);
  }
}

}  // namespace dfc
