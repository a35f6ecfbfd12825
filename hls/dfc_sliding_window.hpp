// Window generator: reads windows, with padding, stride, dilation and zero stuffing, out of a circular line buffer.
// One call is `frames` frames: one loop at II = 1 whose iterations take a word, give one, or both, as `Pace` says; a frame takes as many as
// it has words in or out, whichever are more, and the next frame's words come in while the last windows go out.
#pragma once

#include "dfc_pace.hpp"
#include "dfc_storage.hpp"
#include "dfc_widen.hpp"
#include "dfc_window_walk.hpp"

namespace dfc {

template <int Height, int Width, int Channels, int KernelH, int KernelW, int StrideH, int StrideW, int DilationH, int DilationW,
          int StuffH, int StuffW, int PadTop, int PadLeft, int CropTop, int CropLeft, int OutHeight, int OutWidth, int Groups, int Simd,
          int InBits, int InSigned, int InBipolar, int OutBits, int OutBipolar, int PadValue, int Depth, int RamStyle, int Lead, int Lag>
void sliding_window(hls::stream<ap_uint<Simd * InBits>>& in, hls::stream<ap_uint<Simd * OutBits>>& out, frames_t frames) {
  static_assert(OutBits >= InBits, "dfc::sliding_window: the output type must hold the input type");
  constexpr int Fold = Groups * ceil_div(Channels, Groups * Simd);  // the last word of a group may be padded
  using Walk = WindowWalk<Height, Width, Fold, KernelH, KernelW, StrideH, StrideW, DilationH, DilationW, StuffH, StuffW,
                          CropTop - PadTop, CropLeft - PadLeft, OutHeight, OutWidth, Groups, Depth>;
  constexpr long Steps = long(OutHeight) * OutWidth * KernelH * KernelW * Fold;

  ap_uint<Simd * OutBits> padding = 0;
  for (int i = 0; i < Simd; i++) {
    DFC_UNROLL
    set_element<OutBits>(padding, i, ap_uint<OutBits>(PadValue));
  }
  ap_uint<Simd * InBits> buffer[Depth];
  Storage<RamStyle>::ram(buffer);
  Walk walk;
  ranged<0, Depth - 1> place = 0;
  for (Pace<Walk::Words, Steps, Lead> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(buffer, Lag)  // a word is read at least so many iterations after it was written, so the pipeline need not forward it
    const bool real = walk.is_real();
    const bool gives = pace.gives(!real || pace.age() >= walk.index + Lag);
    const bool takes = pace.takes();
    ap_uint<Simd * OutBits> word = padding;
    if (gives && real) word = widen<Simd, InBits, InSigned, InBipolar, OutBits, OutBipolar>(buffer[walk.addr]);
    if (takes) {  // perhaps to the place just read
      buffer[place] = in.read();
      place = next_of<Depth>(place);
    }
    if (gives) {
      out.write(word);
      walk.step();
    }
    pace.next(takes, gives);
  }
}

}  // namespace dfc
