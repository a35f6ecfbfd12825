// dfc_split: each output under a stream checker that sees the beats of its turns.
module split_bench #(
  parameter int unsigned Folds0 = 1,
  parameter int unsigned Folds1 = 2
) (
  input logic       clk_i,
  input logic       reset_i,
  input logic [1:0] mark_i,
  input logic [1:0] in_data_i,
  input logic       in_valid_i,
  input logic [1:0] out_ready_i
);
  logic started_q = 1'b0, rst_n, in_ready;
  logic [1:0] out_valid, turn;
  logic [1:0][1:0] out_data;
  logic [3:0] place_q;
  assign rst_n = started_q && !reset_i;
  assign turn  = {32'(place_q) >= Folds0, 32'(place_q) < Folds0};
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (!rst_n) place_q <= '0;
    else if (in_valid_i && in_ready) place_q <= 32'(place_q) == Folds0 + Folds1 - 1 ? '0 : place_q + 1'b1;
  end

  dfc_split #(.Folds0(Folds0), .Folds1(Folds1), .Width(2)) dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready),
    .out0_data_o(out_data[0]), .out0_valid_o(out_valid[0]), .out0_ready_i(out_ready_i[0]),
    .out1_data_o(out_data[1]), .out1_valid_o(out_valid[1]), .out1_ready_i(out_ready_i[1])
  );
  for (genvar i = 0; i < 2; i++) begin : gen_side
    stream_checker #(.Most(2)) u_checker (
      .clk_i, .rst_ni(rst_n), .mark_i(mark_i[i]), .lane_i('0), .stalled_i(out_valid[i] && !out_ready_i[i]), .in_data_i,
      .in_valid_i(in_valid_i && turn[i]), .in_ready_i(in_ready), .out_data_i(out_data[i]), .out_valid_i(out_valid[i]),
      .out_ready_i(out_ready_i[i])
    );
  end
endmodule
