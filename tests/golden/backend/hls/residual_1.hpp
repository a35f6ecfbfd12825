// Design Residual-1: the design and each of its units as C++ functions. One call moves `frames` frames.
#pragma once

#include "dfc_common.hpp"

void residual_1(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<8>>& out, dfc::frames_t frames);

void split_up(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<6>>& out0, hls::stream<ap_uint<6>>& out1, dfc::frames_t frames);
void window_3x3(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<6>>& out, dfc::frames_t frames);
void pool(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<6>>& out, dfc::frames_t frames);
void add(hls::stream<ap_uint<6>>& in0, hls::stream<ap_uint<6>>& in1, hls::stream<ap_uint<8>>& out, dfc::frames_t frames);
