// dfc_stream_out behind a pipeline of Delay stages that never stalls, under the stream checker.
module stream_out_bench #(
  parameter int unsigned Slots = 2,
  parameter int unsigned Delay = 0
) (
  input logic       clk_i,
  input logic       reset_i,
  input logic       mark_i,
  input logic [1:0] in_data_i,
  input logic       in_valid_i,
  input logic       out_ready_i
);
  logic started_q = 1'b0, rst_n, credit, out_valid;
  logic [1:0] out_data;
  logic [Delay:0] steps;
  logic [Delay:0][1:0] beats;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  assign rst_n    = started_q && !reset_i;
  assign steps[0] = in_valid_i && credit;
  assign beats[0] = in_data_i;
  for (genvar i = 1; i <= int'(Delay); i++) begin : gen_stage
    always_ff @(posedge clk_i) begin
      steps[i] <= rst_n && steps[i-1];
      beats[i] <= beats[i-1];
    end
  end

  dfc_stream_out #(.Width(2), .Slots(Slots)) dut (
    .clk_i, .rst_ni(rst_n), .issue_i(steps[0]), .credit_o(credit), .push_i(steps[Delay]), .data_i(beats[Delay]),
    .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i
  );
  // The fewer slots, the longer a beat waits for its credit: the whole way of the one before, where there is one slot.
  stream_checker #(.Most(Slots), .Least(Slots), .Waits(Delay), .Refuses(Slots > Delay + 1 ? 1 : Delay + 2 - Slots)) u_checker (
    .clk_i, .rst_ni(rst_n), .mark_i, .lane_i('0), .stalled_i(out_valid && !out_ready_i), .in_data_i, .in_valid_i, .in_ready_i(credit),
    .out_data_i(out_data), .out_valid_i(out_valid), .out_ready_i
  );
endmodule
