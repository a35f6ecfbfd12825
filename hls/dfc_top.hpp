// What generated files need: pragmas of tops, read-only memories as arrays of words.
#pragma once

#include <cstdint>

#include "dfc_common.hpp"

#define DFC_DATAFLOW DFC_PRAGMA(HLS dataflow)
#define DFC_STREAM(Variable, Depth) DFC_PRAGMA(HLS stream variable = Variable depth = Depth)

#ifndef __SYNTHESIS__
namespace dfc {

// Words made from 64-bit limbs, the highest limb first. Synthesis (and -DDFC_LITERALS) reads the words as literals instead; other compilers
// take a minute for thousands of wide literals.
template <int Width, int Depth>
struct Rom {
  static constexpr int Limbs = (Width + 63) / 64;
  ap_uint<Width> words[Depth];

  explicit Rom(const std::uint64_t (&limbs)[Depth][Limbs]) {
    for (int i = 0; i < Depth; ++i) {
      for (int j = 0; j < Limbs; ++j) {
        const int low = 64 * (Limbs - 1 - j);
        words[i].range(min_of(low + 63, Width - 1), low) = ap_uint<64>(limbs[i][j]);
      }
    }
  }
};

}  // namespace dfc
#endif
