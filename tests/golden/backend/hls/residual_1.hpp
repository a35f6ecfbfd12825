// Design Residual-1: the design and its units as C++ functions. One call moves `frames` frames.
#pragma once

#include "dfc_axi.hpp"

// version, hash_low, hash_high: what the driver knows the design by.
void residual_1(hls::stream<dfc::AxiBeat<8>>& s_axis, hls::stream<dfc::AxiBeat<8>>& m_axis, dfc::frames_t frames, std::uint32_t& version, std::uint32_t& hash_low, std::uint32_t& hash_high);

void split_up(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<6>>& out0, hls::stream<ap_uint<6>>& out1, dfc::frames_t frames);
void window_3x3(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<6>>& out, dfc::frames_t frames);
void pool(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<6>>& out, dfc::frames_t frames);
void add(hls::stream<ap_uint<6>>& in0, hls::stream<ap_uint<6>>& in1, hls::stream<ap_uint<8>>& out, dfc::frames_t frames);
