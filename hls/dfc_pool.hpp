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
  // needs some cycles for the way through it, so where they are few what waits is a line of registers, whose places are known.
  constexpr bool Few = Folds < 8;
  constexpr int Waiting = Few ? Folds : 1, Words = Few ? 1 : Folds;
  ap_uint<Pe * OutBits> line[Waiting];
  DFC_PARTITION(line)
  ap_uint<Pe * OutBits> sums[Words];
  for (int i = 0; i < Waiting; i++) {
    DFC_UNROLL
    line[i] = 0;
  }
  Counter<Folds> fold;
  Counter<K> k;
  for (FrameSteps<long(Positions) * K * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(sums, Words)
    const ap_uint<Pe * OutBits> beat = widen<Pe, InBits, InSigned, InBipolar, OutBits, OutBipolar>(in.read());
    ap_uint<Pe * OutBits> held = Few ? line[Waiting - 1] : beat;
    if (!Few && k > 0) held = sums[fold];
    ap_uint<Pe * OutBits> after = beat;
    if (k > 0) {
      for (int p = 0; p < Pe; p++) {
        DFC_UNROLL
        const integer<OutBits, Signed> a = as_integer<Signed>(element<OutBits>(beat, p));
        const integer<OutBits, Signed> b = as_integer<Signed>(element<OutBits>(held, p));
        const integer<OutBits, Signed> found = Mode == 2 ? integer<OutBits, Signed>(a + b) : (a < b) == (Mode == 1) ? a : b;
        set_element<OutBits>(after, p, ap_uint<OutBits>(found));
      }
    }
    if (Few) {
      for (int i = Waiting - 1; i > 0; i--) {
        DFC_UNROLL
        line[i] = line[i - 1];
      }
      line[0] = after;
    } else {
      sums[fold] = after;
    }
    if (k.last()) out.write(after);
    if (fold.next()) k.next();
  }
}

}  // namespace dfc
