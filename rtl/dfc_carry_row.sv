// A row of AMD's LUT6_2 on their carry chain: sum_o = the sum of two addends that each place's LUT makes of five inputs.
// A place's O6 is the sum of its two addends without carry. The second addend is its own O5; where Ternary, the O5 of the place below, which
// is that LUT's I3: three numbers are added by their sum without carry and their majority, a place higher.
// Above so many places more have an addend each that the logic in front of the chain finds: above_i.
// Without Chain there is one place, of two outputs: sum_o = {O5, O6}.
`ifndef SYNTHESIS
`include "dfc_xilinx_cells.svh"
`endif
module dfc_carry_row #(
  parameter int unsigned Bits    = 4,
  parameter int unsigned Block   = 4,  // places of a carry cell: 4 (CARRY4) or 8 (CARRY8)
  parameter int unsigned Ternary = 0,
  parameter int unsigned Chain   = 1,
  parameter int unsigned Above   = 0,
  parameter logic [Bits-1:0][63:0] Inits = '0,
  localparam int unsigned Places = Bits + Above,
  localparam int unsigned Over   = (Above > 0) ? Above : 1
) (
  input  logic [Bits-1:0][4:0] in_i,
  input  logic [Over-1:0]      above_i,
  output logic [Places:0]      sum_o
);
  localparam int unsigned Blocks = (Places + Block - 1) / Block;

  if ((Block != 4 && Block != 8) || Bits < 1 || (Chain == 0 && (Places != 1 || Ternary != 0))) begin : gen_check
    $fatal(1, "dfc_carry_row: Block must be 4 or 8, and a row without a chain have one place of two addends");
  end

  // A place's O5 does not depend on I3, which comes from the place below: no loop, bit by bit.
  /* verilator lint_off SPLITVAR */  // of one place
  logic [Bits-1:0] o5 /* verilator split_var */;
  /* verilator lint_on SPLITVAR */
  logic [Bits-1:0] o6, below;
  for (genvar i = 0; i < int'(Bits); i++) begin : gen_place
    if (Ternary != 0 && i > 0) begin : gen_below
      assign below[i] = o5[i-1];
    end else begin : gen_none
      assign below[i] = in_i[i][3];
    end
    LUT6_2 #(.INIT(Inits[i])) u_lut (
      .O6(o6[i]), .O5(o5[i]), .I0(in_i[i][0]), .I1(in_i[i][1]), .I2(in_i[i][2]), .I3(below[i]), .I4(in_i[i][4]), .I5(1'b1)
    );
  end

  if (Chain == 0) begin : gen_pair
    assign sum_o = {o5[0], o6[0]};
  end else begin : gen_chain
    logic [Blocks*Block-1:0] propagate, generated;
    assign propagate = (Blocks * Block)'({above_i, o6});
    assign generated = (Blocks * Block)'((Ternary != 0) ? below : o5);
    for (genvar b = 0; b < int'(Blocks); b++) begin : gen_block
      logic [Block-1:0] carry, sum;
      logic carry_in;
      if (b == 0) begin : gen_first
        assign carry_in = 1'b0;
      end else begin : gen_next
        assign carry_in = gen_block[b-1].carry[Block-1];
      end
      if (Block == 4) begin : gen_carry4
        CARRY4 u_carry (
          .CO(carry), .O(sum), .CI(carry_in), .CYINIT(1'b0), .DI(generated[b*Block +: Block]), .S(propagate[b*Block +: Block])
        );
      end else begin : gen_carry8
        CARRY8 u_carry (
          .CO(carry), .O(sum), .CI(carry_in), .CI_TOP(1'b0), .DI(generated[b*Block +: Block]), .S(propagate[b*Block +: Block])
        );
      end
      for (genvar i = 0; i < int'(Block); i++) begin : gen_sum
        if (b * int'(Block) + i < int'(Places)) begin : gen_used
          assign sum_o[b*Block+i] = sum[i];
        end
      end
    end
    assign sum_o[Places] = gen_block[Blocks-1].carry[(Places-1)%Block];
    logic unused;
    assign unused = ^{gen_block[Blocks-1].carry, gen_block[Blocks-1].sum};
  end
  logic unused;
  assign unused = ^{in_i, above_i};
endmodule
