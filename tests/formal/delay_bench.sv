// dfc_delay: what comes in, but for each frame's last pixel, under a stream checker, and the first pixel's codes: with Keep the last ones of before.
module delay_bench #(
  parameter int unsigned Pixels = 2,
  parameter int unsigned Folds = 1,
  parameter int unsigned Keep = 0
) (
  input logic       clk_i,
  input logic       reset_i,
  input logic       mark_i,
  input logic [1:0] in_data_i,
  input logic       in_valid_i,
  input logic       out_ready_i
);
  localparam int unsigned Beats = Pixels * Folds;
  logic started_q = 1'b0, rst_n, in_ready, out_valid, first, last;
  logic [1:0] out_data;
  logic [3:0] in_q, out_q;
  assign rst_n = started_q && !reset_i;
  assign last  = 32'(in_q) >= Beats - Folds;
  assign first = 32'(out_q) < Folds;
  logic [1:0] kept_q[4 * Folds];  // of last pixels, by the frame behind and the fold
  logic [1:0] in_frame_q, out_frame_q, after;
  assign after = in_frame_q + 2'd1;
  logic       over_q;         // the first frame is
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (!rst_n) begin
      in_q  <= '0;
      out_q <= '0;
      over_q <= 1'b0;
      {in_frame_q, out_frame_q} <= '0;
    end else begin
      if (in_valid_i && in_ready) in_q <= 32'(in_q) == Beats - 1 ? '0 : in_q + 1'b1;
      if (out_valid && out_ready_i) out_q <= 32'(out_q) == Beats - 1 ? '0 : out_q + 1'b1;
      if (in_valid_i && in_ready && last) kept_q[Folds * 32'(after) + 32'(in_q) - (Beats - Folds)] <= in_data_i;
      if (in_valid_i && in_ready && 32'(in_q) == Beats - 1) in_frame_q <= after;
      assert (!(out_valid && first) || out_data == (Keep != 0 && over_q ? kept_q[Folds * 32'(out_frame_q) + 32'(out_q)] : 2'b10));
      if (out_valid && out_ready_i && 32'(out_q) == Beats - 1) begin
        over_q      <= 1'b1;
        out_frame_q <= out_frame_q + 1'b1;
      end
    end
  end

  dfc_delay #(.Pixels(Pixels), .Folds(Folds), .Width(2), .Bits(2), .First(2), .Keep(Keep)) dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready),
    .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i
  );
  stream_checker #(.Most(Folds > 2 ? Folds : 2), .Waits(Folds), .Refuses(Folds + 1)) u_checker (
    .clk_i, .rst_ni(rst_n), .mark_i, .lane_i('0), .stalled_i(out_valid && !out_ready_i), .in_data_i,
    .in_valid_i(in_valid_i && !last), .in_ready_i(in_ready), .out_data_i(out_data), .out_valid_i(out_valid && !first), .out_ready_i
  );
endmodule
