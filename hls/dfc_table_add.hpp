// Sum of two scaled streams with the quantizer behind it: code = clip((first + second + third) >> Shift), offset for unsigned codes,
// where the low bits of both operands choose an entry of the first of three tables and the high bits each one of its own.
// One call moves `frames` frames: of each, Beats iterations of one loop at II = 1: nothing is carried from one to the next.
#pragma once

#include "dfc_storage.hpp"

namespace dfc {

template <int Beats, int Lanes, int Bits0, int Bits1, int FirstBits, int SecondBits, int SumBits, int Shift, int OutBits, int OutSigned>
void table_add(hls::stream<ap_uint<Lanes * Bits0>>& in0, hls::stream<ap_uint<Lanes * Bits1>>& in1,
               hls::stream<ap_uint<Lanes * OutBits>>& out, frames_t frames, const Rom<1, 128, SumBits>& table) {
  DFC_INLINE
  static_assert(Bits0 <= 8 && Bits1 <= 8 && SumBits >= Shift + OutBits, "dfc::table_add: the sum is not less than the codes");
  static_assert(FirstBits <= SumBits && SecondBits <= SumBits, "dfc::table_add: parts of the sum are no wider than it");
  constexpr int Half = 1 << (OutBits - 1);  // codes are from -Half to Half - 1
  DFC_PARTITION(table)  // constants: every lane reads three entries in each iteration

  for (FrameSteps<Beats> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Lanes * Bits0> in_a = in0.read();
    const ap_uint<Lanes * Bits1> in_b = in1.read();
    ap_uint<Lanes * OutBits> codes = 0;
    for (int i = 0; i < Lanes; i++) {
      DFC_UNROLL
      const int a = int(element<Bits0>(in_a, i)), b = int(element<Bits1>(in_b, i));
      const ap_uint<SecondBits> first = ap_uint<FirstBits>(rom_word<SumBits>(table[0][((b & 7) << 3) | (a & 7)]));
      const ap_uint<SecondBits> second = first - ap_uint<SumBits>(rom_word<SumBits>(table[0][64 + (a >> 3)]));
      const ap_int<SumBits> sum = ap_uint<SumBits>(second) - ap_uint<SumBits>(rom_word<SumBits>(table[0][96 + (b >> 3)]));
      const int steps = int(ap_int<SumBits - Shift>(sum >> Shift));
      const ap_uint<OutBits> code = steps < -Half ? -Half : steps >= Half ? Half - 1 : steps;
      set_element<OutBits>(codes, i, ap_uint<OutBits>(code ^ (OutSigned ? 0 : Half)));
    }
    out.write(codes);
  }
}

}  // namespace dfc
