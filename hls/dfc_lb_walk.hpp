// Address generator of the loopback engine: the loops of a compute descriptor, as in dfc_lb_walk.sv.
#pragma once

#include "dfc_lb_descriptor.hpp"

namespace dfc {

// Address generator: the loops of a compute descriptor, innermost last. Counters have the bits of their bounds in the descriptor, addresses
// those of a memory: what is carried from step to step is an increment or an addition of so many bits.
struct LbWalk {
  ap_uint<8> n, ky, kx;
  ap_uint<12> i, j, g;
  ap_uint<2> p;
  ap_uint<16> acc_word;
  ap_uint<23> weight;  // where the step's weights are, in the narrowest parts that a word of the buffer can have
  ap_uint<32> entry;  // of a list, the step that comes
  ap_uint<24> src_n, src_i, src_j, tap_y, tap_x, tap, dst_n, dst_i, dst_j;  // tap: word 0 of the tap in this pass
  ap_int<14> y_i, y, x_j, x;
  ap_uint<2> spread;  // log2 of the outputs of a row that are made together, fewer at its end

  // most: log2 of the engine's pixels
  void start(const LbCompute& d, int most) {
    spread = ap_uint<2>((d.op == acc_op_add || d.op == acc_op_max || d.op == acc_op_min) && d.root == 0 ? most : 0);
    n = i = j = p = ky = kx = g = acc_word = weight = 0;
    src_n = src_i = src_j = tap_y = tap_x = tap = d.src;
    dst_n = dst_i = dst_j = d.dst;
    y_i = y = ap_int<14>(d.y_first);
    x_j = x = ap_int<14>(d.x_first);
  }
  // With ADD the taps of a pass follow one another, else the passes of a tap.
  static bool inner(const LbCompute& d) { return d.op != acc_op_add; }
  static bool picks(const LbCompute& d) { return d.op == acc_op_argmax || d.op == acc_op_argmax_last; }
  static bool shifts(const LbCompute& d, int pass) {
    return (pass == 1 && d.shift_1 == 1) || (pass == 2 && d.shift_2 == 1) || (pass == 3 && d.shift_3 == 1);
  }
  // The step of a list: offset[18], y[6], x[6], pass[2].
  ap_int<18> entry_offset() const { return ap_int<18>(ap_uint<18>(entry)); }
  ap_uint<6> entry_y() const { return ap_uint<6>(entry >> 18); }
  ap_uint<6> entry_x() const { return ap_uint<6>(entry >> 24); }
  ap_uint<2> pass(const LbCompute& d) const { return d.listed == 1 ? ap_uint<2>(entry >> 30) : p; }
  bool first_tap() const { return kx == 0 && ky == 0; }
  bool fresh(const LbCompute& d) const { return g == 0 && (inner(d) ? !shifts(d, p.to_int()) : first_tap() && (d.listed == 1 || p == 0)); }
  bool shift(const LbCompute& d) const {
    return (d.listed == 1 ? pass(d) != p : g == 0 && (inner(d) || first_tap())) && shifts(d, pass(d).to_int());
  }
  bool words_last(const LbCompute& d) const { return ap_uint<12>(g + 1) == d.words; }
  bool kx_last(const LbCompute& d) const { return d.listed == 1 || ap_uint<8>(kx + 1) == d.kernel_w; }
  bool ky_last(const LbCompute& d) const { return d.listed == 1 || ap_uint<8>(ky + 1) == d.kernel_h; }
  bool p_last(const LbCompute& d) const { return d.listed == 1 || p == d.passes; }
  bool ends(const LbCompute& d) const { return words_last(d) && (p == d.passes || !shifts(d, p.to_int() + 1)); }
  bool last(const LbCompute& d) const { return words_last(d) && kx_last(d) && ky_last(d) && p_last(d); }
  // Outputs that are made together, beside the first.
  ap_uint<3> more(const LbCompute& d) const {
    const ap_uint<12> left = ap_uint<12>(d.width_out - 1 - j);
    const ap_uint<3> most = ap_uint<3>((1 << spread.to_int()) - 1);
    return left < most ? ap_uint<3>(left) : most;
  }
  // Whether what a pixel reads is inside the picture, of an output that there is.
  bool present(const LbCompute& d, int pixel) const {
    const ap_int<14> at_y = d.listed == 1 ? ap_int<14>(y_i + entry_y()) : y;
    const ap_int<14> at_x = ap_int<14>((d.listed == 1 ? ap_int<14>(x_j + entry_x()) : x) + pixel * d.x_step);
    return pixel <= more(d) && at_y >= 0 && at_y < ap_int<15>(d.y_size) && at_x >= 0 && at_x < ap_int<15>(d.x_size);
  }
  ap_uint<24> address(const LbCompute& d, int pixel) const {
    const ap_uint<24> first = d.listed == 1 ? ap_uint<24>(src_j + entry_offset()) : ap_uint<24>(tap + ap_uint<24>(g));
    return ap_uint<24>(first + pixel * d.src_w);
  }
  ap_int<8> pad(const LbCompute& d) const {
    const ap_uint<2> number = pass(d);
    return ap_int<8>(number == 0 ? d.pad : number == 1 ? d.pad_1 : number == 2 ? d.pad_2 : d.pad_3);
  }

  void next_output(const LbCompute& d) {
    p = 0;
    acc_word++;
    const ap_uint<13> next = ap_uint<13>(j + (1 << spread.to_int()));
    if (next < d.width_out) {
      j = ap_uint<12>(next);
      src_j += ap_uint<24>(d.src_w << spread.to_int());
      dst_j += ap_uint<24>(d.dst_w << spread.to_int());
      x_j += ap_uint<14>(ap_uint<14>(d.x_step) << spread.to_int());
    } else {
      j = 0;
      x_j = ap_int<14>(d.x_first);
      if (++i < d.height) {
        src_i += d.src_h;
        dst_i += d.dst_h;
        y_i += d.y_step;
      } else {
        i = 0;
        n++;
        src_n += d.src_n;
        dst_n += d.dst_n;
        src_i = src_n;
        dst_i = dst_n;
        y_i = ap_int<14>(d.y_first);
      }
      src_j = src_i;
      dst_j = dst_i;
    }
    tap_y = tap_x = tap = src_j;
    y = y_i;
    x = x_j;
  }

  void step(const LbCompute& d) {
    const ap_uint<24> offset = p == 0 ? d.offset_1 : p == 1 ? d.offset_2 : d.offset_3;
    const bool ends_words = words_last(d), ends_tap = ends_words && (!inner(d) || p == d.passes);
    const bool ends_row = ends_tap && kx_last(d), ends_taps = ends_row && ky_last(d);
    const bool ends_pass = inner(d) ? ends_words : ends_taps;
    const bool restart = last(d) || (ends_pass && d.reset == weight_reset_pass) || (ends_words && d.reset == weight_reset_tap) ||
                         (ends_row && d.reset == weight_reset_row);
    weight = restart ? ap_uint<23>(0) : ap_uint<23>(weight + (ap_uint<4>(1) << d.width));
    g = ends_words ? ap_uint<12>(0) : ap_uint<12>(g + 1);
    if (d.listed == 1 && !ends_words) p = pass(d);
    if (!ends_tap) {
      if (ends_words) {
        tap = tap_x + offset;
        p++;
      }
      return;
    }
    if (inner(d)) p = 0;
    tap = tap_x = tap_x + d.tap_w;
    x += d.x_tap;
    if (!ends_row) {
      kx++;
      return;
    }
    kx = 0;
    tap = tap_x = tap_y = tap_y + d.tap_h;
    y += d.y_tap;
    if (!picks(d)) x = x_j;
    if (!ends_taps) {
      ky++;
      return;
    }
    ky = 0;
    if (inner(d) || p_last(d)) {
      next_output(d);
      return;
    }
    tap = tap_y = tap_x = src_j + offset;
    y = y_i;
    p++;
  }
};

}  // namespace dfc
