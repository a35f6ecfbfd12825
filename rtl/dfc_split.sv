// Channels of one stream to two: of each position Folds0 beats to the first, then Folds1 to the second.
// Latency 1, interval Positions * (Folds0 + Folds1) cycles.
`include "dfc_assert.svh"
module dfc_split #(
  parameter int unsigned Positions = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Folds0 = 1,
  parameter int unsigned Folds1 = 1,
  parameter int unsigned Width = 8
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [Width-1:0] out0_data_o,
  output logic             out0_valid_o,
  input  logic             out0_ready_i,
  output logic [Width-1:0] out1_data_o,
  output logic             out1_valid_o,
  input  logic             out1_ready_i
);
  if (Positions < 1 || Folds0 < 1 || Folds1 < 1 || Width < 1) begin : gen_check
    $fatal(1, "dfc_split: Positions, Folds0, Folds1 and Width must be at least 1");
  end

  logic credit0, credit1, second, push;
  dfc_turns #(.Folds0(Folds0), .Folds1(Folds1)) u_turns (.clk_i, .rst_ni, .step_i(push), .second_o(second));
  assign in_ready_o = second ? credit1 : credit0;
  assign push       = in_valid_i && in_ready_o;

  dfc_stream_out #(.Width(Width), .Slots(2)) u_out0 (
    .clk_i, .rst_ni, .issue_i(push && !second), .credit_o(credit0), .push_i(push && !second), .data_i(in_data_i),
    .out_data_o(out0_data_o), .out_valid_o(out0_valid_o), .out_ready_i(out0_ready_i)
  );
  dfc_stream_out #(.Width(Width), .Slots(2)) u_out1 (
    .clk_i, .rst_ni, .issue_i(push && second), .credit_o(credit1), .push_i(push && second), .data_i(in_data_i),
    .out_data_o(out1_data_o), .out_valid_o(out1_valid_o), .out_ready_i(out1_ready_i)
  );
endmodule
