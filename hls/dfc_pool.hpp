// Maximum (Mode 0), minimum (1) or sum (2) of K elements, for Folds groups of Pe channels that take turns.
// One call moves `frames` frames: of each, Positions * K * Folds iterations of one loop at II = 1.
#pragma once

#include "dfc_widen.hpp"

namespace dfc {

template <int Mode, int Positions, int K, int Folds, int Pe, int InBits, int InSigned, int InBipolar, int OutBits, int OutBipolar>
void pool(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames) {
  DFC_INLINE
  static_assert(Mode >= 0 && Mode <= 2, "dfc::pool: Mode must be 0, 1 or 2");
  static_assert(OutBits >= InBits, "dfc::pool: the output type must hold the input type");
  constexpr bool Signed = InSigned != 0 && OutBipolar == 0;  // the patterns of a bipolar type are ordered like numbers without sign
  // Carried, and why II = 1: what a group has so far comes back after Folds iterations, through one addition or comparison. A memory
  // needs some cycles for the way through it, so where they are few what waits is a line of registers for each lane, whose places are
  // known: a word of all lanes would have to be shifted on that way by whoever does not unroll the loop over lanes.
  constexpr bool Few = Folds < 8;
  constexpr int Waiting = Few ? Folds : 1, Words = Few ? 1 : Folds;
  ap_uint<OutBits> line[Waiting * Pe];
  DFC_PARTITION(line)
  ap_uint<Pe * OutBits> sums[Words];
  for (int i = 0; i < Waiting * Pe; i++) {
    DFC_UNROLL
    line[i] = 0;
  }
  Counter<Folds> fold;
  Counter<K> k;
  for (FrameSteps<long(Positions) * K * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(sums, Words)
    const ap_uint<Pe * OutBits> beat = widen<Pe, InBits, InSigned, InBipolar, OutBits, OutBipolar>(in.read());
    const bool more = k > 0;
    ap_uint<Pe * OutBits> held = beat;
    if (!Few && more) held = sums[fold];
    ap_uint<Pe * OutBits> after = beat;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      ap_uint<OutBits> now = element<OutBits>(beat, p);
      if (more) {
        const ap_uint<OutBits> before = Few ? line[(Waiting - 1) * Pe + p] : element<OutBits>(held, p);
        const integer<OutBits, Signed> a = as_integer<Signed>(now);
        const integer<OutBits, Signed> b = as_integer<Signed>(before);
        const integer<OutBits, Signed> found = Mode == 2 ? integer<OutBits, Signed>(a + b) : (a < b) == (Mode == 1) ? a : b;
        now = ap_uint<OutBits>(found);
        set_element<OutBits>(after, p, now);
      }
      for (int i = Waiting - 1; i > 0; i--) {
        DFC_UNROLL
        line[i * Pe + p] = line[(i - 1) * Pe + p];
      }
      line[p] = now;
    }
    if (!Few) sums[fold] = after;
    if (k.last()) out.write(after);
    if (fold.next()) k.next();
  }
}

}  // namespace dfc
