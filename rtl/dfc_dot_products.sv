// Dot product by multiplying, then a registered tree of adders.
// Latency 1 + $clog2(Simd) cycles; products that are a mere AND or XOR share their register with the first adders: then
// max(1, $clog2(Simd)). One more where operands are registered, a DSP slice's own registers where there is one: those of products of more
// than 8 bits, and those that LUTs or slices are asked for. A block RAM that is read then has a cycle for itself. In LUTs yet one more where
// a weight has more than four bits: four of them are added at a time. One a cycle.
module dfc_dot_products #(
  parameter int unsigned Simd       = 4,
  parameter int unsigned XBits      = 4,
  parameter int unsigned XSigned    = 0,
  parameter int unsigned WBits      = 4,
  parameter int unsigned WSigned    = 1,
  parameter int unsigned Xnor       = 0,
  parameter int unsigned Arithmetic = 0,  // 0 the tool's choice, 1 LUTs, 2 DSP slices
  parameter int unsigned SumBits    = 16
) (
  input  logic                       clk_i,
  input  logic [Simd-1:0][XBits-1:0] x_i,
  input  logic [Simd-1:0][WBits-1:0] w_i,
  output logic [SumBits-1:0]         sum_o
);
  localparam bit Gated = Xnor != 0 || (XBits == 1 && XSigned == 0) || (WBits == 1 && WSigned == 0);
  localparam int unsigned WideBits = (XBits > WBits) ? XBits : WBits;
  localparam int unsigned Bits = Gated ? WideBits : XBits + WBits;  // of a product
  localparam int unsigned Signed = 32'(XSigned != 0 || WSigned != 0);
  localparam bit Registered = !Gated && (Arithmetic != 0 || XBits + WBits > 8);  // as in arithmetic.py
  localparam string UseDsp = (Arithmetic == 2) ? "yes" : (Arithmetic == 1) ? "no" : "auto";

  logic [Simd-1:0][Bits-1:0] product;
  for (genvar s = 0; s < int'(Simd); s++) begin : gen_product
    if (Xnor != 0) begin : gen_xnor
      assign product[s] = w_i[s][0] ? x_i[s] : ~x_i[s];
    end else begin : gen_integer
      logic signed [XBits:0] x;
      logic signed [WBits:0] w;
      assign x = (XSigned != 0) ? (XBits + 1)'(signed'(x_i[s])) : {1'b0, x_i[s]};
      assign w = (WSigned != 0) ? (WBits + 1)'(signed'(w_i[s])) : {1'b0, w_i[s]};
      if (Gated) begin : gen_gated
        assign product[s] = Bits'(x * w);
      end else if (Arithmetic == 1) begin : gen_shift_add
        // Weight bit by weight bit, the sign bit subtracted: no tool sees a product to put into a DSP slice.
        localparam int unsigned Groups = (WBits + 3) / 4;
        logic signed [XBits:0] x_q;
        logic signed [WBits:0] w_q;
        logic signed [Groups-1:0][Bits-1:0] part, part_q;
        logic signed [Bits-1:0] sum;
        always_ff @(posedge clk_i) {x_q, w_q} <= {x, w};
        always_comb begin
          part = '0;
          for (int unsigned j = 0; j < WBits; j++) begin
            if (WSigned != 0 && j == WBits - 1) part[j/4] -= w_q[j] ? Bits'(x_q) <<< j : '0;
            else                                part[j/4] += w_q[j] ? Bits'(x_q) <<< j : '0;
          end
          sum = '0;
          for (int unsigned g = 0; g < Groups; g++) sum += part_q[g];
        end
        always_ff @(posedge clk_i) part_q <= part;
        if (Groups > 1) begin : gen_join
          always_ff @(posedge clk_i) product[s] <= sum;
        end else begin : gen_join
          assign product[s] = sum;
        end
        logic unused;
        assign unused = w_q[WBits];
      end else begin : gen_multiply
        logic signed [XBits:0] x_d;
        logic signed [WBits:0] w_d;
        (* use_dsp = UseDsp *) logic signed [Bits-1:0] product_q;
        if (Registered) begin : gen_operands
          always_ff @(posedge clk_i) {x_d, w_d} <= {x, w};
        end else begin : gen_operands
          assign {x_d, w_d} = {x, w};
        end
        always_ff @(posedge clk_i) product_q <= Bits'(x_d * w_d);
        assign product[s] = product_q;
      end
    end
  end

  if (Gated && Simd == 1) begin : gen_single
    logic [Bits-1:0] product_q;
    always_ff @(posedge clk_i) product_q <= product;
    if (Signed != 0) begin : gen_signed
      assign sum_o = SumBits'(signed'(product_q));
    end else begin : gen_unsigned
      assign sum_o = SumBits'(product_q);
    end
  end else begin : gen_tree
    dfc_adder_tree #(.Terms(Simd), .Bits(Bits), .Signed(Signed), .SumBits(SumBits)) u_tree (.clk_i, .terms_i(product), .sum_o);
  end
  logic unused_style;
  assign unused_style = UseDsp == "auto";
endmodule
