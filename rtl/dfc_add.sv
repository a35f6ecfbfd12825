// Weighted sum of two streams: Factor0 * a + Factor1 * b + Offset, exact in OutBits; each constant is High * 2^31 + Low.
// Latency 1 where both factors are powers of two (or 0), else 2; interval 1 cycle a beat.
`include "dfc_assert.svh"
module dfc_add #(
  parameter int unsigned Beats = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Lanes = 1,
  parameter int unsigned Bits0 = 8,
  parameter int unsigned Signed0 = 0,
  parameter int unsigned Bipolar0 = 0,
  parameter int unsigned Factor0Low = 1,
  parameter int unsigned Factor0High = 0,
  parameter int unsigned Factor0Negative = 0,
  parameter int unsigned Bits1 = 8,
  parameter int unsigned Signed1 = 0,
  parameter int unsigned Bipolar1 = 0,
  parameter int unsigned Factor1Low = 1,
  parameter int unsigned Factor1High = 0,
  parameter int unsigned Factor1Negative = 0,
  parameter int unsigned OffsetLow = 0,
  parameter int unsigned OffsetHigh = 0,
  parameter int unsigned OffsetNegative = 0,
  parameter int unsigned OutBits = 9
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
  if (Beats < 1 || Lanes < 1 || OutBits < 1 || Factor0Negative > 1 || Factor1Negative > 1 || OffsetNegative > 1) begin : gen_check
    $fatal(1, "dfc_add: Beats, Lanes and OutBits must be at least 1, signs 0 or 1");
  end

  typedef logic [OutBits-1:0] sum_t;
  localparam logic [61:0] Factor0 = {31'(Factor0High), 31'(Factor0Low)};
  localparam logic [61:0] Factor1 = {31'(Factor1High), 31'(Factor1Low)};
  localparam logic [61:0] Offset  = {31'(OffsetHigh), 31'(OffsetLow)};
  localparam int unsigned Latency = $countones(Factor0) < 2 && $countones(Factor1) < 2 ? 1 : 2;

  logic step, credit, push;
  assign in0_ready_o = credit && in1_valid_i;
  assign in1_ready_o = credit && in0_valid_i;
  assign step        = credit && in0_valid_i && in1_valid_i;

  // The sum fits OutBits, so everything before it may be cut to OutBits.
  logic [Lanes*OutBits-1:0] term0, term1, sum;
  dfc_scale #(.Lanes(Lanes), .InBits(Bits0), .InSigned(Signed0), .InBipolar(Bipolar0), .Factor(Factor0), .OutBits(OutBits),
    .Registered(Latency - 1)) u_term0 (.clk_i, .in_i(in0_data_i), .out_o(term0));
  dfc_scale #(.Lanes(Lanes), .InBits(Bits1), .InSigned(Signed1), .InBipolar(Bipolar1), .Factor(Factor1), .OutBits(OutBits),
    .Registered(Latency - 1)) u_term1 (.clk_i, .in_i(in1_data_i), .out_o(term1));
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    sum_t a, b, ab;
    assign a  = term0[i*OutBits+:OutBits];
    assign b  = term1[i*OutBits+:OutBits];
    assign ab = (Factor0Negative != 0 ? -a : a) + (Factor1Negative != 0 ? -b : b);
    assign sum[i*OutBits+:OutBits] = OffsetNegative != 0 ? ab - sum_t'(Offset) : ab + sum_t'(Offset);
  end

  if (Latency == 1) begin : gen_direct
    assign push = step;
  end else begin : gen_pipeline
    logic step_q;
    always_ff @(posedge clk_i) step_q <= rst_ni && step;
    assign push = step_q;
  end
  dfc_stream_out #(.Width(Lanes * OutBits), .Slots(Latency + 1)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(push), .data_i(sum), .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
