// Design Residual-1: units and the streams between them.
// Frames go in and come out as plain valid/ready streams, channels-last, lane 0 in the lowest bits.
module residual_1_core (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [5:0] in_data_i,
  input  logic in_valid_i,
  output logic in_ready_o,
  output logic [7:0] out_data_o,
  output logic out_valid_o,
  input  logic out_ready_i
);
  // uint3[6x6x2], 2 a beat, 36 beats a frame
  logic [5:0] x_data;
  logic x_valid, x_ready;
  // uint3[6x6x2], 2 a beat, 36 beats a frame
  logic [5:0] n_long_data;
  logic n_long_valid, n_long_ready;
  // uint3[6x6x2], 2 a beat, 36 beats a frame
  logic [5:0] n_short_data, n_short_fifo_data;
  logic n_short_valid, n_short_ready, n_short_fifo_valid, n_short_fifo_ready;
  // uint3[6x6x18], 2 a beat, 324 beats a frame
  logic [5:0] windows_data, windows_fifo_data;
  logic windows_valid, windows_ready, windows_fifo_valid, windows_fifo_ready;
  // uint3[6x6x2], 2 a beat, 36 beats a frame
  logic [5:0] largest_data;
  logic largest_valid, largest_ready;
  // uint4[6x6x2], 2 a beat, 36 beats a frame
  logic [7:0] sum_data;
  logic sum_valid, sum_ready;

  assign x_data = in_data_i;
  assign x_valid = in_valid_i;
  assign in_ready_o = x_ready;

  dfc_fifo #(
    .Width(6),
    .Depth(20),
    .Style(2)
  ) u_n_short_fifo (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .in_data_i(n_short_data),
    .in_valid_i(n_short_valid),
    .in_ready_o(n_short_ready),
    .out_data_o(n_short_fifo_data),
    .out_valid_o(n_short_fifo_valid),
    .out_ready_i(n_short_fifo_ready)
  );

  dfc_fifo #(
    .Width(6),
    .Depth(2),
    .Style(2)
  ) u_windows_fifo (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .in_data_i(windows_data),
    .in_valid_i(windows_valid),
    .in_ready_o(windows_ready),
    .out_data_o(windows_fifo_data),
    .out_valid_o(windows_fifo_valid),
    .out_ready_i(windows_fifo_ready)
  );

  // Unit split up: fork
  dfc_fork #(
    .Beats(36),
    .Width(6)
  ) u_split_up (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .in_data_i(x_data),
    .in_valid_i(x_valid),
    .in_ready_o(x_ready),
    .out0_data_o(n_long_data),
    .out0_valid_o(n_long_valid),
    .out0_ready_i(n_long_ready),
    .out1_data_o(n_short_data),
    .out1_valid_o(n_short_valid),
    .out1_ready_i(n_short_ready)
  );

  // Unit Window/3x3: Conv_0
  dfc_sliding_window #(
    .Height(6),
    .Width(6),
    .Channels(2),
    .KernelH(3),
    .KernelW(3),
    .StrideH(1),
    .StrideW(1),
    .DilationH(1),
    .DilationW(1),
    .StuffH(1),
    .StuffW(1),
    .PadTop(1),
    .PadLeft(1),
    .CropTop(0),
    .CropLeft(0),
    .OutHeight(6),
    .OutWidth(6),
    .Groups(1),
    .Simd(2),
    .InBits(3),
    .InSigned(0),
    .InBipolar(0),
    .OutBits(3),
    .OutBipolar(0),
    .PadValue(0),
    .Depth(15),
    .RamStyle(2)
  ) u_window_3x3 (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .in_data_i(n_long_data),
    .in_valid_i(n_long_valid),
    .in_ready_o(n_long_ready),
    .out_data_o(windows_data),
    .out_valid_o(windows_valid),
    .out_ready_i(windows_ready)
  );

  // Unit pool: pool
  dfc_pool #(
    .Mode(0),
    .Positions(36),
    .K(9),
    .Folds(1),
    .Pe(2),
    .InBits(3),
    .InSigned(0),
    .InBipolar(0),
    .OutBits(3),
    .OutBipolar(0)
  ) u_pool (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .in_data_i(windows_fifo_data),
    .in_valid_i(windows_fifo_valid),
    .in_ready_o(windows_fifo_ready),
    .out_data_o(largest_data),
    .out_valid_o(largest_valid),
    .out_ready_i(largest_ready)
  );

  // Unit add: add
  dfc_add #(
    .Beats(36),
    .Lanes(2),
    .Bits0(3),
    .Signed0(0),
    .Bipolar0(0),
    .Factor0Low(1),
    .Factor0High(0),
    .Factor0Negative(0),
    .Bits1(3),
    .Signed1(0),
    .Bipolar1(0),
    .Factor1Low(1),
    .Factor1High(0),
    .Factor1Negative(0),
    .OffsetLow(0),
    .OffsetHigh(0),
    .OffsetNegative(0),
    .OutBits(4)
  ) u_add (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .in0_data_i(largest_data),
    .in0_valid_i(largest_valid),
    .in0_ready_o(largest_ready),
    .in1_data_i(n_short_fifo_data),
    .in1_valid_i(n_short_fifo_valid),
    .in1_ready_o(n_short_fifo_ready),
    .out_data_o(sum_data),
    .out_valid_o(sum_valid),
    .out_ready_i(sum_ready)
  );

  assign out_data_o = sum_data;
  assign out_valid_o = sum_valid;
  assign sum_ready = out_ready_i;
endmodule
