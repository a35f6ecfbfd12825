// Made from dfcompile/loopback/descriptor.py by `python -m tools.descriptor_headers`; do not edit.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

enum LbEnumOpcode { opcode_load = 1, opcode_compute = 2, opcode_store = 3, opcode_finish = 4, opcode_repeat = 5 };

enum LbEnumTarget { target_act = 0, target_weight = 1, target_tree = 2, target_list = 3 };

enum LbEnumAccOp { acc_op_add = 0, acc_op_max = 1, acc_op_min = 2, acc_op_argmax = 3, acc_op_argmax_last = 4, acc_op_mul = 5 };

enum LbEnumWeightReset { weight_reset_vector = 0, weight_reset_pass = 1, weight_reset_tap = 2, weight_reset_row = 3 };

enum LbEnumUnit { unit_load = 0, unit_compute = 1, unit_store = 2 };

enum LbEnumErrorCode { error_code_none = 0, error_code_opcode = 1, error_code_transfer = 2, error_code_loop = 3, error_code_tree = 4, error_code_weight = 5, error_code_result = 6, error_code_act_range = 7, error_code_bus = 8, error_code_timeout = 9, error_code_length = 10 };

struct LbTransfer {
  static const int Bits = 128;
  ap_uint<4> opcode;
  ap_uint<3> waits;
  ap_uint<3> signals;
  ap_uint<2> target;
  ap_uint<24> inner;
  ap_uint<24> beats;
  ap_uint<32> address;
  ap_uint<2> coded;
  ap_uint<24> words;
};

inline LbTransfer lb_unpack_transfer(const ap_uint<128>& bits) {
  DFC_INLINE
  LbTransfer d;
  d.opcode = ap_uint<4>(bits.range(3, 0));
  d.waits = ap_uint<3>(bits.range(6, 4));
  d.signals = ap_uint<3>(bits.range(9, 7));
  d.target = ap_uint<2>(bits.range(11, 10));
  d.inner = ap_uint<24>(bits.range(35, 12));
  d.beats = ap_uint<24>(bits.range(59, 36));
  d.address = ap_uint<32>(bits.range(91, 60));
  d.coded = ap_uint<2>(bits.range(93, 92));
  d.words = ap_uint<24>(bits.range(117, 94));
  return d;
}

struct LbCompute {
  static const int Bits = 640;
  ap_uint<4> opcode;
  ap_uint<3> waits;
  ap_uint<3> signals;
  ap_uint<1> drain;
  ap_uint<3> op;
  ap_uint<1> acc_load;
  ap_uint<1> acc_store;
  ap_uint<2> reset;
  ap_uint<2> width;
  ap_uint<4> levels;
  ap_uint<2> bank;
  ap_uint<1> twice;
  ap_uint<1> lookup;
  ap_uint<3> planes;
  ap_uint<2> passes;
  ap_uint<1> shift_1;
  ap_uint<1> shift_2;
  ap_uint<1> shift_3;
  ap_uint<8> pad;
  ap_uint<8> pad_1;
  ap_uint<8> pad_2;
  ap_uint<8> pad_3;
  ap_uint<8> batch;
  ap_uint<12> height;
  ap_uint<12> width_out;
  ap_uint<8> kernel_h;
  ap_uint<8> kernel_w;
  ap_uint<12> words;
  ap_uint<24> src;
  ap_uint<24> src_n;
  ap_uint<24> src_h;
  ap_uint<24> src_w;
  ap_uint<24> offset_1;
  ap_uint<24> offset_2;
  ap_uint<24> offset_3;
  ap_uint<24> tap_h;
  ap_uint<24> tap_w;
  ap_uint<14> y_first;
  ap_uint<8> y_step;
  ap_uint<8> y_tap;
  ap_uint<13> y_size;
  ap_uint<14> x_first;
  ap_uint<8> x_step;
  ap_uint<8> x_tap;
  ap_uint<13> x_size;
  ap_uint<20> weight;
  ap_uint<24> dst;
  ap_uint<24> dst_n;
  ap_uint<24> dst_h;
  ap_uint<24> dst_w;
  ap_uint<24> dst_p;
  ap_uint<6> writes;
  ap_uint<7> lane;
  ap_uint<8> idle;
  ap_uint<18> start_1;
  ap_uint<18> start_2;
  ap_uint<1> scale;
  ap_uint<6> scale_shift;
  ap_uint<1> root;
  ap_uint<1> listed;
};

inline LbCompute lb_unpack_compute(const ap_uint<640>& bits) {
  DFC_INLINE
  LbCompute d;
  d.opcode = ap_uint<4>(bits.range(3, 0));
  d.waits = ap_uint<3>(bits.range(6, 4));
  d.signals = ap_uint<3>(bits.range(9, 7));
  d.drain = ap_uint<1>(bits.range(10, 10));
  d.op = ap_uint<3>(bits.range(13, 11));
  d.acc_load = ap_uint<1>(bits.range(14, 14));
  d.acc_store = ap_uint<1>(bits.range(15, 15));
  d.reset = ap_uint<2>(bits.range(17, 16));
  d.width = ap_uint<2>(bits.range(19, 18));
  d.levels = ap_uint<4>(bits.range(23, 20));
  d.bank = ap_uint<2>(bits.range(25, 24));
  d.twice = ap_uint<1>(bits.range(26, 26));
  d.lookup = ap_uint<1>(bits.range(27, 27));
  d.planes = ap_uint<3>(bits.range(30, 28));
  d.passes = ap_uint<2>(bits.range(32, 31));
  d.shift_1 = ap_uint<1>(bits.range(33, 33));
  d.shift_2 = ap_uint<1>(bits.range(34, 34));
  d.shift_3 = ap_uint<1>(bits.range(35, 35));
  d.pad = ap_uint<8>(bits.range(43, 36));
  d.pad_1 = ap_uint<8>(bits.range(51, 44));
  d.pad_2 = ap_uint<8>(bits.range(59, 52));
  d.pad_3 = ap_uint<8>(bits.range(67, 60));
  d.batch = ap_uint<8>(bits.range(75, 68));
  d.height = ap_uint<12>(bits.range(87, 76));
  d.width_out = ap_uint<12>(bits.range(99, 88));
  d.kernel_h = ap_uint<8>(bits.range(107, 100));
  d.kernel_w = ap_uint<8>(bits.range(115, 108));
  d.words = ap_uint<12>(bits.range(127, 116));
  d.src = ap_uint<24>(bits.range(151, 128));
  d.src_n = ap_uint<24>(bits.range(175, 152));
  d.src_h = ap_uint<24>(bits.range(199, 176));
  d.src_w = ap_uint<24>(bits.range(223, 200));
  d.offset_1 = ap_uint<24>(bits.range(247, 224));
  d.offset_2 = ap_uint<24>(bits.range(271, 248));
  d.offset_3 = ap_uint<24>(bits.range(295, 272));
  d.tap_h = ap_uint<24>(bits.range(319, 296));
  d.tap_w = ap_uint<24>(bits.range(343, 320));
  d.y_first = ap_uint<14>(bits.range(357, 344));
  d.y_step = ap_uint<8>(bits.range(365, 358));
  d.y_tap = ap_uint<8>(bits.range(373, 366));
  d.y_size = ap_uint<13>(bits.range(386, 374));
  d.x_first = ap_uint<14>(bits.range(400, 387));
  d.x_step = ap_uint<8>(bits.range(408, 401));
  d.x_tap = ap_uint<8>(bits.range(416, 409));
  d.x_size = ap_uint<13>(bits.range(429, 417));
  d.weight = ap_uint<20>(bits.range(449, 430));
  d.dst = ap_uint<24>(bits.range(473, 450));
  d.dst_n = ap_uint<24>(bits.range(497, 474));
  d.dst_h = ap_uint<24>(bits.range(521, 498));
  d.dst_w = ap_uint<24>(bits.range(545, 522));
  d.dst_p = ap_uint<24>(bits.range(569, 546));
  d.writes = ap_uint<6>(bits.range(575, 570));
  d.lane = ap_uint<7>(bits.range(582, 576));
  d.idle = ap_uint<8>(bits.range(590, 583));
  d.start_1 = ap_uint<18>(bits.range(608, 591));
  d.start_2 = ap_uint<18>(bits.range(626, 609));
  d.scale = ap_uint<1>(bits.range(627, 627));
  d.scale_shift = ap_uint<6>(bits.range(633, 628));
  d.root = ap_uint<1>(bits.range(634, 634));
  d.listed = ap_uint<1>(bits.range(635, 635));
  return d;
}

}  // namespace dfc
