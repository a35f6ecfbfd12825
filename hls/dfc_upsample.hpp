// Nearest-neighbour upsampling: each row FactorH times, each pixel of Fold beats FactorW times, out of a row buffer.
// One call moves `frames` frames: one iteration for each beat out, of one loop at II = 1; a row is taken while its first copy is given.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Height, int Width, int Fold, int FactorH, int FactorW, int BeatBits, int Depth, int RamStyle>
void upsample(hls::stream<ap_uint<BeatBits>>& in, hls::stream<ap_uint<BeatBits>>& out, frames_t frames) {
  static_assert(Depth >= 1, "dfc::upsample: Depth must be at least 1");
  ap_uint<BeatBits> row[Width * Fold];
  ap_uint<BeatBits> beat = 0;
  int word = 0, copy = 0, pixel = 0, pass = 0;
  for (FrameSteps<long(Height) * FactorH * Width * FactorW * Fold> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const int place = pixel * Fold + word;
    if (pass == 0 && copy == 0) {
      beat = in.read();
      row[place] = beat;
    } else if (Fold > 1 || copy == 0) {  // else it is the beat of the step before
      beat = row[place];
    }
    out.write(beat);
    if (++word == Fold) {
      word = 0;
      if (++copy == FactorW) {
        copy = 0;
        if (++pixel == Width) {
          pixel = 0;
          pass = pass == FactorH - 1 ? 0 : pass + 1;
        }
      }
    }
  }
}

}  // namespace dfc
