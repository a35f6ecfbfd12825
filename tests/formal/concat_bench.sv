// dfc_concat: each input under a stream checker that sees the beats given in its turns.
module concat_bench #(
  parameter int unsigned Folds0 = 1,
  parameter int unsigned Folds1 = 2
) (
  input logic            clk_i,
  input logic            reset_i,
  input logic [1:0]      mark_i,
  input logic [1:0][1:0] in_data_i,
  input logic [1:0]      in_valid_i,
  input logic            out_ready_i
);
  logic started_q = 1'b0, rst_n, out_valid, stalled;
  logic [1:0] in_ready, out_data, taken, taking, giving;
  logic [3:0] in_place_q, out_place_q;  // beats of the position that are taken, and given
  assign rst_n   = started_q && !reset_i;
  assign taken   = in_valid_i & in_ready;
  assign taking  = {32'(in_place_q) >= Folds0, 32'(in_place_q) < Folds0};
  assign giving  = {32'(out_place_q) >= Folds0, 32'(out_place_q) < Folds0};
  assign stalled = out_valid && !out_ready_i;
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (!rst_n) begin
      {in_place_q, out_place_q} <= '0;
    end else begin
      if (taken != '0) in_place_q <= 32'(in_place_q) == Folds0 + Folds1 - 1 ? '0 : in_place_q + 1'b1;
      if (out_valid && out_ready_i) out_place_q <= 32'(out_place_q) == Folds0 + Folds1 - 1 ? '0 : out_place_q + 1'b1;
    end
  end
  in_turn: assert property (@(posedge clk_i) disable iff (!rst_n) (taken & ~taking) == '0);

  dfc_concat #(.Folds0(Folds0), .Folds1(Folds1), .Bits0(2), .Bits1(2), .OutBits(2)) dut (
    .clk_i, .rst_ni(rst_n), .in0_data_i(in_data_i[0]), .in0_valid_i(in_valid_i[0]), .in0_ready_o(in_ready[0]),
    .in1_data_i(in_data_i[1]), .in1_valid_i(in_valid_i[1]), .in1_ready_o(in_ready[1]),
    .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i
  );
  for (genvar i = 0; i < 2; i++) begin : gen_side
    // A beat may stand behind one of the other input.
    stream_checker #(.Most(2), .Waits(1)) u_checker (
      .clk_i, .rst_ni(rst_n), .mark_i(mark_i[i]), .lane_i('0), .stalled_i(stalled || !taking[i]), .in_data_i(in_data_i[i]),
      .in_valid_i(in_valid_i[i]), .in_ready_i(in_ready[i]), .out_data_i(out_data), .out_valid_i(out_valid && giving[i]), .out_ready_i
    );
  end
endmodule
