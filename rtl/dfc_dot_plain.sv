// What dfc_dot_carry makes, cycle for cycle, in as few words as a simulator wants: Delay cycles from operands to what is added to the sum.
module dfc_dot_plain #(
  parameter int unsigned Simd         = 4,
  parameter int unsigned InBits       = 2,
  parameter int unsigned InSigned     = 0,
  parameter int unsigned InBipolar    = 0,  // the input bit means -1 or +1
  parameter int unsigned WeightBits   = 2,
  parameter int unsigned WeightSigned = 1,
  parameter int unsigned Xnor         = 0,  // the product is the input pattern, complemented where the weight bit is 0
  parameter int unsigned Delay        = 2,
  parameter int unsigned SumBits      = 10
) (
  input  logic                       clk_i,
  input  logic [Simd*InBits-1:0]     inputs_i,
  input  logic [Simd*WeightBits-1:0] weights_i,
  input  logic                       step_i,   // what comes out of the delay is a step's
  input  logic                       first_i,  // a sum's first
  input  logic [SumBits-1:0]         start_i,  // what that is added to
  output logic [SumBits-1:0]         sum_o
);
  localparam int unsigned XBits = (InBipolar != 0) ? 2 : InBits;
  localparam bit XSigned = InSigned != 0 || InBipolar != 0;
  localparam bit WSigned = WeightSigned != 0 && Xnor == 0;
  localparam int unsigned Most = (XBits > WeightBits) ? XBits + 1 : WeightBits + 1;
  localparam int unsigned Wide = (SumBits > Most) ? SumBits : Most;  // a sum that is known to be small may be narrower than an input

  logic [SumBits-1:0] dot;
  logic [XBits-1:0] x;
  logic [WeightBits-1:0] w;
  logic signed [XBits:0] a;
  logic signed [WeightBits:0] b;
  always_comb begin
    dot = '0;
    for (int unsigned s = 0; s < Simd; s++) begin
      x = (InBipolar != 0) ? XBits'({~inputs_i[s], 1'b1}) : XBits'(inputs_i[s*InBits +: InBits]);
      w = weights_i[s*WeightBits +: WeightBits];
      if (Xnor != 0) begin
        x = x ~^ {XBits{w[0]}};
        w = WeightBits'(1);
      end
      a = {XSigned && x[XBits-1], x};
      b = {WSigned && w[WeightBits-1], w};
      dot += SumBits'(Wide'(a) * Wide'(b));
    end
  end

  logic unused;
  assign unused = ^{a, b};  // the bits for a sign are above a sum without one

  logic [Delay-1:0][SumBits-1:0] number_q;
  always_ff @(posedge clk_i) begin
    number_q[0] <= dot;
    for (int unsigned i = 1; i < Delay; i++) number_q[i] <= number_q[i-1];
    if (step_i) sum_o <= (first_i ? start_i : sum_o) + number_q[Delay-1];
  end
endmodule
