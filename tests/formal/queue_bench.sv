// dfc_lb_queue under the stream checker; a clear is a reset.
module queue_bench #(
  parameter int unsigned Depth = 2
) (
  input logic       clk_i,
  input logic       reset_i,
  input logic       clear_i,
  input logic       mark_i,
  input logic [1:0] in_data_i,
  input logic       in_valid_i,
  input logic       out_ready_i
);
  logic started_q = 1'b0, rst_n, in_ready, out_valid;
  logic [1:0] out_data;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  assign rst_n = started_q && !reset_i;

  dfc_lb_queue #(.Width(2), .Depth(Depth)) dut (
    .clk_i, .rst_ni(rst_n), .clear_i, .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data), .out_valid_o(out_valid),
    .out_ready_i
  );
  stream_checker #(.Most(Depth), .Least(Depth)) u_checker (
    .clk_i, .rst_ni(rst_n && !clear_i), .mark_i, .lane_i('0), .stalled_i(out_valid && !out_ready_i), .in_data_i, .in_valid_i,
    .in_ready_i(in_ready), .out_data_i(out_data), .out_valid_i(out_valid), .out_ready_i
  );
endmodule
