// Dot products and accumulators of Pe lanes that share their inputs, in AMD's DSP slices, modulo 2**SumBits; other families have dfc_dot.
// A slice multiplies x by the sum of Pack weights, Field places apart, and adds that to what the slice before it in a chain has: of a lane the
// Chain products are summed in its field. A chain starts with half of each field but the highest one, so that none is negative and nothing is
// borrowed from the next. A tree adds the chains of a lane.
// Latency to the accumulators: Chain + 2 + $clog2 of a lane's chains cycles; the sums follow in the cycle after. One step a cycle.
module dfc_dots_packed #(
  parameter int unsigned Pe      = 2,
  parameter int unsigned Simd    = 4,
  parameter int unsigned XBits   = 8,
  parameter int unsigned XSigned = 0,
  parameter int unsigned WBits   = 8,
  parameter int unsigned WSigned = 1,
  parameter int unsigned Columns = 25,  // bits of a slice's wide operand: 25 (DSP48E1) or 27 (DSP48E2)
  parameter int unsigned Pack    = 2,
  parameter int unsigned Field   = 16,
  parameter int unsigned Chain   = 1,
  parameter int unsigned Steps   = 1,   // of a sum
  parameter int unsigned SumBits = 20
) (
  input  logic                     clk_i,
  input  logic [Simd*XBits-1:0]    inputs_i,
  input  logic [Pe*Simd*WBits-1:0] weights_i,
  input  logic                     step_i,   // the numbers at the accumulators are a step's
  input  logic                     first_i,  // a sum's first
  output logic [Pe*SumBits-1:0]    sums_o
);
  localparam int unsigned Groups = (Pe + Pack - 1) / Pack;
  localparam int unsigned Chains = (Simd + Chain - 1) / Chain;
  localparam bit          Signed = XSigned != 0 || WSigned != 0;
  localparam int unsigned Most   = XBits + WBits + $clog2(Chain);
  localparam int unsigned Term   = (Most < Field) ? Most : Field;  // bits of the sum of a chain

  if ((Columns != 25 && Columns != 27) || Pack < 2 || (Pack - 1) * Field + WBits + 1 > Columns || Field * Pack > 48 || XBits > 17) begin : gen_check
    $fatal(1, "dfc_dots_packed: Columns are 25 or 27, and Pack weights and an input fit a slice");
  end

  for (genvar g = 0; g < int'(Groups); g++) begin : gen_group
    localparam int unsigned Lanes = (Pe - g * Pack < Pack) ? Pe - g * Pack : Pack;
    logic [Lanes-1:0][Chains-1:0][Term-1:0] terms;
    for (genvar s = 0; s < int'(Simd); s++) begin : gen_slice
      localparam int unsigned Place = s % Chain;
      localparam int unsigned Held  = (Place > 0) ? 2 : 1;  // registers in front of the multiplier, in the slice
      localparam int unsigned Late  = Place + 1 - Held;     // and before it
      logic [Late:0][XBits-1:0] x_q;
      logic [Late:0][Lanes-1:0][WBits-1:0] w_q;
      assign x_q[0] = inputs_i[s*XBits +: XBits];
      for (genvar p = 0; p < int'(Lanes); p++) begin : gen_weight
        assign w_q[0][p] = weights_i[((g*Pack+p)*Simd+s)*WBits +: WBits];
      end
      for (genvar l = 1; l <= int'(Late); l++) begin : gen_late
        always_ff @(posedge clk_i) begin
          x_q[l] <= x_q[l-1];
          w_q[l] <= w_q[l-1];
        end
      end

      // The weights side by side, less what the sign of each but the highest stands for: d - a.
      logic signed [17:0] b;
      logic [Columns-1:0] a, d;
      logic [47:0] start, carried, chain, sum;
      always_comb begin
        b = (XSigned != 0) ? 18'(signed'(x_q[Late])) : 18'(x_q[Late]);
        a = '0;
        d = (WSigned != 0) ? Columns'(signed'(w_q[Late][Lanes-1])) : Columns'(w_q[Late][Lanes-1]);
        d <<= (Lanes - 1) * Field;
        start = '0;
        for (int unsigned p = 0; p + 1 < Lanes; p++) begin
          d[p*Field +: WBits]  = w_q[Late][p];
          a[p*Field+WBits]     = WSigned != 0 && w_q[Late][p][WBits-1];
          start[p*Field+Field-1] = Signed;
        end
      end
      if (Place > 0) begin : gen_next
        assign carried = gen_slice[s-1].chain;
      end else begin : gen_first
        assign carried = '0;
      end
      dfc_slice #(.Columns(Columns), .Held(Held), .Chained(32'(Place > 0))) u_slice (
        .clk_i, .b_i(b), .a_i(a), .d_i(d), .c_i(start), .before_i(carried), .chain_o(chain), .sum_o(sum)
      );

      if (Place == Chain - 1 || s == int'(Simd) - 1) begin : gen_end
        // A shorter chain's sum waits for the others'.
        localparam int unsigned Wait = Chain - 1 - Place;
        logic [Wait:0][47:0] sum_q;
        assign sum_q[0] = sum;
        for (genvar l = 1; l <= int'(Wait); l++) begin : gen_wait
          always_ff @(posedge clk_i) sum_q[l] <= sum_q[l-1];
        end
        for (genvar p = 0; p < int'(Lanes); p++) begin : gen_field
          localparam bit Half = Signed && p + 1 < int'(Lanes) && Term == Field;  // the start is in its highest bit
          assign terms[p][s/Chain] = sum_q[Wait][p*Field +: Term] ^ (Term'(Half) << (Term - 1));
        end
      end
      logic unused;
      assign unused = ^{sum, chain};
    end

    for (genvar p = 0; p < int'(Lanes); p++) begin : gen_lane
      localparam int unsigned Lane = g * Pack + p;
      logic [SumBits-1:0] added, sum_q;
      dfc_adder_tree #(.Terms(Chains), .Bits(Term), .Signed(32'(Signed)), .SumBits(SumBits)) u_tree (
        .clk_i, .terms_i(terms[p]), .sum_o(added)
      );
      // The sum that is left out is the second operand of the adder: that costs no logic on a carry chain.
      always_ff @(posedge clk_i) if (step_i) sum_q <= added + ((Steps == 1 || first_i) ? '0 : sum_q);
      assign sums_o[Lane*SumBits +: SumBits] = sum_q;
    end
  end
endmodule
