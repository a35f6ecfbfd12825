// The elements of a beat in a wider type, same values.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int InBits, int InSigned, int InBipolar, int OutBits, int OutBipolar>
inline ap_uint<OutBits> widen_element(const ap_uint<InBits>& code) {
  DFC_INLINE
  if (InBipolar != 0 && OutBipolar == 0) return ap_uint<OutBits>(code[0] ? 1 : -1);
  if (InSigned != 0 && OutBipolar == 0) return ap_uint<OutBits>(ap_int<OutBits>(ap_int<InBits>(code)));
  return ap_uint<OutBits>(code);
}

template <int Lanes, int InBits, int InSigned, int InBipolar, int OutBits, int OutBipolar>
inline ap_uint<Lanes * OutBits> widen(const ap_uint<Lanes * InBits>& beat) {
  DFC_INLINE
  if (InBits == OutBits && (InBipolar == 0 || OutBipolar != 0)) return ap_uint<Lanes * OutBits>(beat);
  ap_uint<Lanes * OutBits> found = 0;
  for (int i = 0; i < Lanes; i++) {
    DFC_UNROLL
    set_element<OutBits>(found, i, widen_element<InBits, InSigned, InBipolar, OutBits, OutBipolar>(element<InBits>(beat, i)));
  }
  return found;
}

}  // namespace dfc
