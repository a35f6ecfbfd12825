// dfc_width_converter (InRun 0), else dfc_repack, under the stream checker.
module lanes_bench #(
  parameter int unsigned InLanes = 2,
  parameter int unsigned InRun = 0,
  parameter int unsigned OutLanes = 3,
  parameter int unsigned OutRun = 0,
  parameter int unsigned Elements = 6,
  parameter int unsigned Hold = 4,
  localparam int unsigned Bits = 1,
  // Output beats of an input beat, where they are more; a beat that ends a run may have one element.
  localparam int unsigned Refuses = 1 + (InRun == 0 ? (InLanes - 1) / OutLanes : InLanes)
) (
  input logic                    clk_i,
  input logic                    reset_i,
  input logic                    mark_i,
  input logic [2:0]              lane_i,
  input logic [InLanes*Bits-1:0] in_data_i,
  input logic                    in_valid_i,
  input logic                    out_ready_i
);
  logic started_q = 1'b0, rst_n, in_ready, out_valid;
  logic [OutLanes*Bits-1:0] out_data;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  assign rst_n = started_q && !reset_i;

  if (InRun == 0) begin : gen_converter
    dfc_width_converter #(.Elements(Elements), .Bits(Bits), .InLanes(InLanes), .OutLanes(OutLanes)) dut (
      .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i
    );
    stream_checker #(
      .Bits(Bits), .InLanes(InLanes), .OutLanes(OutLanes), .Most(InLanes + 3 * OutLanes - 2), .Refuses(Refuses)
    ) u_checker (
      .clk_i, .rst_ni(rst_n), .mark_i, .lane_i({5'b0, lane_i}), .stalled_i(out_valid && !out_ready_i), .in_data_i, .in_valid_i,
      .in_ready_i(in_ready), .out_data_i(out_data), .out_valid_i(out_valid), .out_ready_i
    );
  end else begin : gen_repack
    dfc_repack #(
      .Elements(Elements), .Bits(Bits), .InLanes(InLanes), .InRun(InRun), .OutLanes(OutLanes), .OutRun(OutRun), .Hold(Hold)
    ) dut (
      .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i
    );
    stream_checker #(
      .Bits(Bits), .InLanes(InLanes), .InRun(InRun), .OutLanes(OutLanes), .OutRun(OutRun), .Most(Hold + 2 * OutLanes), .Waits(1),
      .Refuses(Refuses)
    ) u_checker (
      .clk_i, .rst_ni(rst_n), .mark_i, .lane_i({5'b0, lane_i}), .stalled_i(out_valid && !out_ready_i), .in_data_i, .in_valid_i,
      .in_ready_i(in_ready), .out_data_i(out_data), .out_valid_i(out_valid), .out_ready_i
    );
  end
endmodule
