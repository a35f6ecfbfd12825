// Design Residual-1: units and the streams between them. One call moves `frames` frames.
#include "residual_1.hpp"

#include "dfc_top.hpp"

DFC_AXIS_OF(in)
DFC_AXIS_OF(out)
void residual_1(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<8>>& out, dfc::frames_t frames) {
  DFC_AXIS(in)
  DFC_AXIS(out)
  DFC_FREE_RUNNING
  DFC_DATAFLOW
  hls::stream<ap_uint<6>> n_long("n_long");
  DFC_STREAM(n_long, 2)
  hls::stream<ap_uint<6>> n_short("n_short");
  DFC_STREAM(n_short, 28)
  hls::stream<ap_uint<6>> windows("windows");
  DFC_STREAM(windows, 10)
  hls::stream<ap_uint<6>> largest("largest");
  DFC_STREAM(largest, 2)
  split_up(in, n_long, n_short, frames);
  window_3x3(n_long, windows, frames);
  pool(windows, largest, frames);
  add(largest, n_short, out, frames);
}
