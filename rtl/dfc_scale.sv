// The elements of a beat times a constant, modulo 2**OutBits. Latency 0, or 1 if Registered.
module dfc_scale #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned InBits = 8,
  parameter int unsigned InSigned = 0,
  parameter int unsigned InBipolar = 0,
  parameter logic [61:0] Factor = 62'd1,
  parameter int unsigned OutBits = 8,
  parameter int unsigned Registered = 0
) (
  input  logic                     clk_i,
  input  logic [Lanes*InBits-1:0]  in_i,
  output logic [Lanes*OutBits-1:0] out_o
);
  // Two bits hold a bipolar element; an output may also be narrower than an input.
  localparam int unsigned WideBits = (OutBits > InBits ? OutBits : InBits) + 1;
  logic [Lanes*WideBits-1:0] wide;
  dfc_extend #(.Lanes(Lanes), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .OutBits(WideBits), .OutBipolar(0))
    u_extend (.in_i, .out_o(wide));

  // Shifts and adds by the factor's canonical signed digits: no two neighbours are other than 0.
  localparam logic [63:0] Triple = 64'(Factor) + (64'(Factor) << 1);
  localparam logic [63:0] Plus   = (Triple & ~64'(Factor)) >> 1;
  localparam logic [63:0] Minus  = (~Triple & 64'(Factor)) >> 1;

  logic [Lanes*OutBits-1:0] product;
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    logic [OutBits-1:0] value;
    assign value = OutBits'(wide[i*WideBits+:WideBits]);
    logic [OutBits-1:0] sum;
    always_comb begin
      sum = '0;
      for (int unsigned b = 0; b < 63 && b < OutBits; b++) begin
        if (Plus[b]) sum += value << b;
        else if (Minus[b]) sum -= value << b;
      end
    end
    assign product[i*OutBits+:OutBits] = sum;
  end

  if (Registered != 0) begin : gen_register
    logic [Lanes*OutBits-1:0] product_q;
    always_ff @(posedge clk_i) product_q <= product;
    assign out_o = product_q;
  end else begin : gen_wire
    logic unused;
    assign unused = clk_i;
    assign out_o  = product;
  end
endmodule
