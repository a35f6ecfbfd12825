// Dot products of Pe lanes that share their inputs, Pack products of one input in a DSP slice, modulo 2**SumBits.
// A slice multiplies x by the sum of Pack weights, Field = XBits + WBits places apart. Each product fits its field and is not the least number
// of it, so what lies below a field has the sign of its highest bit: the field is 1 too small where that is set, and exact once that is added.
// Latency 2 + $clog2(Simd) cycles, one a cycle: a slice has registers behind its multiplier and at its output.
module dfc_dots_packed #(
  parameter int unsigned Pe      = 2,
  parameter int unsigned Simd    = 4,
  parameter int unsigned XBits   = 8,
  parameter int unsigned XSigned = 0,
  parameter int unsigned WBits   = 8,
  parameter int unsigned WSigned = 1,
  parameter int unsigned Pack    = 2,
  parameter int unsigned SumBits = 20
) (
  input  logic                     clk_i,
  input  logic [Simd*XBits-1:0]    inputs_i,
  input  logic [Pe*Simd*WBits-1:0] weights_i,
  output logic [Pe*SumBits-1:0]    sums_o
);
  localparam int unsigned Field  = XBits + WBits;
  localparam int unsigned Signed = 32'(XSigned != 0 || WSigned != 0);
  localparam int unsigned Groups = (Pe + Pack - 1) / Pack;

  for (genvar g = 0; g < int'(Groups); g++) begin : gen_group
    localparam int unsigned Lanes = (Pe - g * Pack < Pack) ? Pe - g * Pack : Pack;
    localparam int unsigned Wide  = (Lanes - 1) * Field + WBits + 1;
    logic [Lanes-1:0][Simd-1:0][Field-1:0] product;
    for (genvar s = 0; s < int'(Simd); s++) begin : gen_slice
      logic signed [XBits:0] x;
      logic signed [Wide-1:0] w;
      (* use_dsp = "yes" *) logic signed [Lanes*Field-1:0] first_q;
      logic signed [Lanes*Field-1:0] product_q;
      assign x = (XSigned != 0) ? (XBits + 1)'(signed'(inputs_i[s*XBits +: XBits])) : {1'b0, inputs_i[s*XBits +: XBits]};
      always_comb begin
        w = '0;
        for (int unsigned p = 0; p < Lanes; p++) begin
          if (WSigned != 0) w += Wide'(signed'(weights_i[((g*Pack+p)*Simd+s)*WBits +: WBits])) <<< (p * Field);
          else              w += Wide'(weights_i[((g*Pack+p)*Simd+s)*WBits +: WBits]) <<< (p * Field);
        end
      end
      always_ff @(posedge clk_i) first_q <= (Lanes * Field)'(x * w);
      always_ff @(posedge clk_i) product_q <= first_q;
      for (genvar p = 0; p < int'(Lanes); p++) begin : gen_field
        if (p > 0 && Signed != 0) begin : gen_corrected
          assign product[p][s] = product_q[p*Field +: Field] + Field'(product_q[p*Field-1]);
        end else begin : gen_exact
          assign product[p][s] = product_q[p*Field +: Field];
        end
      end
    end
    for (genvar p = 0; p < int'(Lanes); p++) begin : gen_lane
      dfc_adder_tree #(.Terms(Simd), .Bits(Field), .Signed(Signed), .SumBits(SumBits)) u_tree (
        .clk_i, .terms_i(product[p]), .sum_o(sums_o[(g*Pack+p)*SumBits +: SumBits])
      );
    end
  end
endmodule
