// Dot product of Simd signed codes and weights for a row of the loopback array. Latency 1 + $clog2(Simd) cycles in every form, one a cycle.
// Pairs: two products and their sum in a DSP slice. (x1 + x2 << F) (w2 + w1 << F) has x1 w1 + x2 w2 at place F, exact once the borrow of
// what lies below is added, which an adder behind it takes as its carry. The lower weight stands there without a sign, more by half its range
// than it is: `offset_i`, the same for all rows, takes back what that adds.
// Block: on AMD's carry chains, of so many places a cell, where they are not slower. Else by LUTs or, of weights of 8 bits, slices.
module dfc_lb_dot #(
  parameter int unsigned Simd       = 16,
  parameter int unsigned ActBits    = 8,
  parameter int unsigned WeightBits = 8,
  parameter int unsigned Pairs      = 0,
  parameter int unsigned Block      = 0,
  localparam int unsigned Levels    = $clog2(Simd),
  localparam int unsigned SumBits   = ActBits + WeightBits + Levels
) (
  input  logic                       clk_i,
  input  logic [Simd*ActBits-1:0]    codes_i,
  input  logic [Simd*WeightBits-1:0] weights_i,
  input  logic [SumBits-1:0]         offset_i,  // in the cycle before the sum
  output logic [SumBits-1:0]         sum_o
);
  localparam int unsigned Product = ActBits + WeightBits;

  `include "dfc_carry.svh"
  localparam int unsigned CarryLevels = carry_levels(Simd * WeightBits);

  if (Pairs != 0) begin : gen_pairs
    localparam int unsigned Field = Product + 1;
    localparam int unsigned Half  = Simd / 2;
    if (Simd < 2) begin : gen_check
      $fatal(1, "dfc_lb_dot: Pairs wants a Simd of two at least");
    end
    logic [Half-1:0][Field:0] first;  // the sum of two products, and its borrow in place 0
    for (genvar k = 0; k < int'(Half); k++) begin : gen_pair
      logic signed [ActBits-1:0]          x1, x2;
      logic signed [ActBits+Field:0]      x;  // the least of both is a place wider
      logic signed [WeightBits+Field-1:0] w;
      (* use_dsp = "yes" *) logic signed [2*Field-1:0] product_q;
      assign x1 = codes_i[2*k*ActBits +: ActBits];
      assign x2 = codes_i[(2*k+1)*ActBits +: ActBits];
      assign x  = ((ActBits + Field + 1)'(x2) <<< Field) + (ActBits + Field + 1)'(x1);
      assign w  = {weights_i[2*k*WeightBits +: WeightBits], (Field - WeightBits)'(0), ~weights_i[(2*k+2)*WeightBits-1],
                   weights_i[(2*k+1)*WeightBits +: WeightBits-1]};
      always_ff @(posedge clk_i) product_q <= (2 * Field)'(x) * (2 * Field)'(w);
      assign first[k] = product_q[2*Field-1:Field-1];
      logic unused_low;
      assign unused_low = ^product_q[Field-2:0];
    end
    // A node is its number and, in place 0, what is to be added to it: a sum takes one of its two nodes' and keeps the other's.
    for (genvar l = 0; l < int'(Levels); l++) begin : gen_level
      localparam int unsigned Nodes = (Half + (1 << l) - 1) >> l;
      localparam int unsigned Bits  = Field + l < SumBits ? Field + l : SumBits;
      logic [Nodes-1:0][Bits:0] node;
      if (l == 0) begin : gen_first
        assign node = first;
      end else begin : gen_sums
        localparam int unsigned Below = Field + l - 1 < SumBits ? Field + l - 1 : SumBits;
        localparam int unsigned Sources = (2 * Half + (1 << l) - 1) >> l;  // nodes of the level before
        for (genvar k = 0; k < int'(Nodes); k++) begin : gen_sum
          logic signed [Below:0] a;
          assign a = gen_level[l-1].node[2*k];
          if (2 * k + 1 < int'(Sources)) begin : gen_two
            logic signed [Below:0] b;
            logic [Bits:0] sum;
            assign b   = {gen_level[l-1].node[2*k+1][Below:1], 1'b1};
            assign sum = (Bits + 1)'(a) + (Bits + 1)'(b);  // the carry into place 1 is a's
            always_ff @(posedge clk_i) node[k] <= {sum[Bits:1], gen_level[l-1].node[2*k+1][0]};
            logic unused_place;
            assign unused_place = sum[0];
          end else begin : gen_one
            always_ff @(posedge clk_i) node[k] <= (Bits + 1)'(a);
          end
        end
      end
    end
    logic [SumBits:0] sum;
    assign sum = (SumBits + 1)'(signed'(gen_level[Levels-1].node[0])) + {offset_i, 1'b1};
    always_ff @(posedge clk_i) sum_o <= sum[SumBits:1];
    logic unused_place;
    assign unused_place = sum[0];
  end else if (Block != 0 && !(WeightBits == 8 && ActBits == 8) && 2 + CarryLevels <= 1 + Levels) begin : gen_carry
    localparam int unsigned Wait = Levels - 1 - CarryLevels;
    logic [SumBits-1:0] sum;
    dfc_dot_carry #(
      .Simd(Simd), .InBits(ActBits), .InSigned(1), .WeightBits(WeightBits), .WeightSigned(1), .Block(Block), .Levels(CarryLevels),
      .SumBits(SumBits), .Constants(SumBits'(carry_constants(Simd, ActBits, 1'b1, WeightBits, 1'b1)))
    ) u_dot (
      .clk_i, .rst_ni(1'b1), .inputs_i(codes_i), .weights_i, .step_i(1'b1), .first_i(1'b1), .last_i(1'b1), .start_i('0), .sum_o(sum)
    );
    logic [Wait:0][SumBits-1:0] wait_q;
    assign wait_q[0] = sum;
    for (genvar i = 0; i < int'(Wait); i++) begin : gen_wait
      always_ff @(posedge clk_i) wait_q[i+1] <= wait_q[i];
    end
    assign sum_o = wait_q[Wait];
  end else begin : gen_products
    logic [Simd-1:0][Product-1:0] products_q;
    for (genvar s = 0; s < int'(Simd); s++) begin : gen_lane
      logic signed [ActBits-1:0]    x;
      logic signed [WeightBits-1:0] w;
      assign x = codes_i[ActBits*s +: ActBits];
      assign w = weights_i[s*WeightBits +: WeightBits];
      if (WeightBits == 8) begin : gen_dsp
        always_ff @(posedge clk_i) products_q[s] <= Product'(x) * Product'(w);
      end else begin : gen_lut
        // Weight bit by weight bit, the sign bit subtracted: no tool sees a product to put into a DSP slice.
        logic signed [WeightBits-1:0][Product-1:0] part;
        logic signed [Product-1:0] sum;
        for (genvar b = 0; b < int'(WeightBits); b++) begin : gen_bit
          assign part[b] = w[b] ? Product'(x) << b : '0;
        end
        always_comb begin
          sum = -part[WeightBits-1];
          for (int unsigned b = 0; b < WeightBits - 1; b++) sum = sum + part[b];
        end
        always_ff @(posedge clk_i) products_q[s] <= sum;
      end
    end
    dfc_adder_tree #(.Terms(Simd), .Bits(Product), .Signed(1), .SumBits(SumBits)) u_tree (.clk_i, .terms_i(products_q), .sum_o);
  end
  if (Pairs == 0) begin : gen_no_offset
    logic unused_offset;
    assign unused_offset = ^offset_i;
  end
endmodule
