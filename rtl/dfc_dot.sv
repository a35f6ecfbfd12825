// Dot product of Simd inputs and weights, modulo 2**SumBits (two's complement).
// Latency as arithmetic.py's MacForm.dot_latency, also the localparam DotLatency of dfc_sums; one a cycle.
module dfc_dot #(
  parameter int unsigned Simd         = 4,
  parameter int unsigned InBits       = 2,
  parameter int unsigned InSigned     = 0,
  parameter int unsigned InBipolar    = 0,  // the input bit means -1 or +1
  parameter int unsigned WeightBits   = 2,
  parameter int unsigned WeightSigned = 1,
  parameter int unsigned Xnor         = 0,  // the product is the input pattern, complemented where the weight bit is 0
  parameter int unsigned Arithmetic   = 0,  // of products: 0 the tool's choice, 1 LUTs, 2 DSP slices
  parameter int unsigned PlaneLimit   = 6,
  parameter int unsigned SumBits      = 10
) (
  input  logic                       clk_i,
  input  logic [Simd*InBits-1:0]     inputs_i,
  input  logic [Simd*WeightBits-1:0] weights_i,
  output logic [SumBits-1:0]         sum_o
);
  localparam int unsigned XBits = (InBipolar != 0) ? 2 : InBits;
  localparam bit XSigned = InSigned != 0 || InBipolar != 0;
  localparam bit WSigned = WeightSigned != 0 && Xnor == 0;

  if (Simd < 1 || (Xnor != 0 && WeightBits != 1) || (InBipolar != 0 && InBits != 1)) begin : gen_check
    $fatal(1, "dfc_dot: Simd must be at least 1, Xnor wants WeightBits = 1 and InBipolar wants InBits = 1");
  end

  logic [Simd-1:0][XBits-1:0]      x;
  logic [Simd-1:0][WeightBits-1:0] w;

  assign w = weights_i;
  if (InBipolar != 0) begin : gen_bipolar
    for (genvar s = 0; s < int'(Simd); s++) begin : gen_element
      assign x[s] = {~inputs_i[s], 1'b1};
    end
  end else begin : gen_integer
    assign x = inputs_i;
  end

  if (XBits * WeightBits <= PlaneLimit) begin : gen_planes
    // Operands wait a cycle in registers where LUTs are asked for: a block RAM that is read then has it for itself.
    localparam bit Gated = Xnor != 0 || (XBits == 1 && !XSigned) || (WeightBits == 1 && !WSigned);
    logic [Simd-1:0][XBits-1:0]      a;
    logic [Simd-1:0][WeightBits-1:0] b;
    if (Arithmetic == 1 && !Gated) begin : gen_operands
      always_ff @(posedge clk_i) {a, b} <= {x, w};
    end else begin : gen_operands
      assign {a, b} = {x, w};
    end
    dfc_dot_planes #(
      .Simd(Simd), .XBits(XBits), .XSigned(32'(XSigned)), .WBits(WeightBits), .WSigned(32'(WSigned)), .Xnor(Xnor), .SumBits(SumBits)
    ) u_planes (.clk_i, .x_i(a), .w_i(b), .sum_o);
  end else begin : gen_products
    dfc_dot_products #(
      .Simd(Simd), .XBits(XBits), .XSigned(32'(XSigned)), .WBits(WeightBits), .WSigned(32'(WSigned)), .Xnor(Xnor),
      .Arithmetic(Arithmetic), .SumBits(SumBits)
    ) u_products (.clk_i, .x_i(x), .w_i(w), .sum_o);
  end
endmodule
