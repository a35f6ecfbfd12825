// Same elements with another number of lanes a beat, any ratio.
// One call moves `frames` frames: of each, max(beats in, beats out) iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

constexpr int gcd(int a, int b) { return b == 0 ? a : gcd(b, a % b); }

template <int Elements, int Bits, int InLanes, int OutLanes>
void width_converter(hls::stream<ap_uint<InLanes * Bits>>& in, hls::stream<ap_uint<OutLanes * Bits>>& out, frames_t frames) {
  DFC_INLINE
  static_assert(Elements % InLanes == 0 && Elements % OutLanes == 0, "dfc::width_converter: InLanes and OutLanes must divide Elements");
  // All is counted in parts, the common divisor of both beats. What waits is shifted by constants only: beats come in at the top of
  // `wait`, or leave at the bottom of it. Where one number of lanes divides the other there is one Place for the other side, else a few.
  // Carried, and why II = 1: `wait`, through one choice of each bit, and the number of parts in it, one addition.
  constexpr int Part = gcd(InLanes, OutLanes) * Bits;
  constexpr int In = InLanes * Bits / Part, Out = OutLanes * Bits / Part;
  constexpr bool Up = In < Out;
  constexpr int Places = Up ? In : Out;
  constexpr int All = Up ? Out + In - 1 : In + Out - 1;
  ap_uint<All * Part> wait = 0;
  ap_uint<index_bits(All + 1)> level = 0;
  for (FrameSteps<Elements / min_of(InLanes, OutLanes)> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    if (Up) {
      wait = (wait >> In * Part) | (ap_uint<All * Part>(in.read()) << (All - In) * Part);
      level += In;
      if (level >= Out) {
        ap_uint<OutLanes * Bits> beat = 0;
        for (int place = 0; place < Places; place++) {
          DFC_UNROLL
          if (level == Out + place) beat = ap_uint<OutLanes * Bits>(wait >> (All - Out - place) * Part);
        }
        out.write(beat);
        level -= Out;
      }
    } else {
      if (level < Out) {
        const ap_uint<All * Part> beat = in.read();
        for (int place = 0; place < Places; place++) {
          DFC_UNROLL
          if (level == place) wait |= beat << place * Part;
        }
        level += In;
      }
      out.write(ap_uint<OutLanes * Bits>(wait));
      wait >>= Out * Part;
      level -= Out;
    }
  }
}

}  // namespace dfc
