// Elementwise product of two streams, exact in OutBits.
// Latency 2, interval 1 cycle a beat.
`include "dfc_assert.svh"
module dfc_multiply #(
  parameter int unsigned Beats = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Lanes = 1,
  parameter int unsigned Bits0 = 8,
  parameter int unsigned Signed0 = 0,
  parameter int unsigned Bipolar0 = 0,
  parameter int unsigned Bits1 = 8,
  parameter int unsigned Signed1 = 0,
  parameter int unsigned Bipolar1 = 0,
  parameter int unsigned OutBits = 16
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic [Lanes*Bits0-1:0]   in0_data_i,
  input  logic                     in0_valid_i,
  output logic                     in0_ready_o,
  input  logic [Lanes*Bits1-1:0]   in1_data_i,
  input  logic                     in1_valid_i,
  output logic                     in1_ready_o,
  output logic [Lanes*OutBits-1:0] out_data_o,
  output logic                     out_valid_o,
  input  logic                     out_ready_i
);
  if (Beats < 1 || Lanes < 1 || OutBits < 1) begin : gen_check
    $fatal(1, "dfc_multiply: Beats, Lanes and OutBits must be at least 1");
  end

  logic step, step_q, credit;
  assign in0_ready_o = credit && in1_valid_i;
  assign in1_ready_o = credit && in0_valid_i;
  assign step        = credit && in0_valid_i && in1_valid_i;
  always_ff @(posedge clk_i) step_q <= rst_ni && step;

  // One bit more makes every operand a signed number.
  localparam int unsigned ABits = Bits0 + 1;
  localparam int unsigned BBits = Bits1 + 1;
  logic [Lanes*ABits-1:0] a;
  logic [Lanes*BBits-1:0] b;
  dfc_extend #(.Lanes(Lanes), .InBits(Bits0), .InSigned(Signed0), .InBipolar(Bipolar0), .OutBits(ABits), .OutBipolar(0))
    u_extend0 (.in_i(in0_data_i), .out_o(a));
  dfc_extend #(.Lanes(Lanes), .InBits(Bits1), .InSigned(Signed1), .InBipolar(Bipolar1), .OutBits(BBits), .OutBipolar(0))
    u_extend1 (.in_i(in1_data_i), .out_o(b));

  logic [Lanes*OutBits-1:0] products;
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    logic signed [ABits-1:0] x;
    logic signed [BBits-1:0] y;
    logic signed [ABits+BBits-1:0] product_q;
    assign x = a[i*ABits+:ABits];
    assign y = b[i*BBits+:BBits];
    always_ff @(posedge clk_i) product_q <= x * y;
    assign products[i*OutBits+:OutBits] = OutBits'(product_q);
    logic unused;
    assign unused = ^product_q;  // the operands' extra bits
  end

  dfc_stream_out #(.Width(Lanes * OutBits), .Slots(3)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(step_q), .data_i(products), .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
