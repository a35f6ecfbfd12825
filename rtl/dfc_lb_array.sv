// Compute array of the loopback engine: Pe dot products of Simd codes and weights a cycle, joined to sums; or to the value of each
// tap, and these to a maximum, a minimum, the position of the largest, or the product of two.
// Inputs one cycle after the step (the memories' latency); a result is valid 5 + $clog2(Simd) cycles after its last step.
`include "dfc_lb_descriptor.svh"
`include "dfc_lb_types.svh"
module dfc_lb_array #(
  parameter int unsigned Pe         = 4,
  parameter int unsigned Simd       = 16,
  parameter int unsigned WeightBits = 8,
  parameter int unsigned ActBits    = 8,
  parameter int unsigned AccWords   = 16,
  parameter int unsigned AccBits    = 32,
  parameter int unsigned DspRows    = 0,  // rows whose products are made in slices, two in one
  parameter int unsigned Block      = 0,  // places of a carry cell that others are made on, 0: none
  parameter int unsigned Whole      = 1,  // whether it makes products and positions, beside sums and extremes
  localparam int unsigned Lanes     = Pe * Simd
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        step_i,     // in the cycle of the memories' data
  input  dfc_lb_step_t                info_i,
  input  logic [ActBits*Simd-1:0]     codes_i,
  input  logic [Lanes*WeightBits-1:0] weights_i,  // one cycle later
  output logic                        valid_o,
  output logic [Pe*AccBits-1:0]       sums_o
);
  localparam int unsigned Levels   = $clog2(Simd);
  localparam int unsigned SumBits  = ActBits + WeightBits + Levels;
  localparam int unsigned AddrBits = AccWords > 1 ? $clog2(AccWords) : 1;
  localparam int unsigned FactorBits = 18;  // of a product: one DSP slice
  localparam int unsigned ColumnBits = 14;

  // Stage 1: codes with the pad code where the window leaves the picture. Stage 2: products. Then their sums.
  logic [ActBits*Simd-1:0] codes_q;
  always_ff @(posedge clk_i) codes_q <= info_i.present ? codes_i : {Simd{info_i.pad[ActBits-1:0]}};

  logic [SumBits-1:0] offset;
  if (DspRows != 0) begin : gen_offset
    // What the lower weights of pairs have too much, of all rows at once.
    logic [Simd/2-1:0][ActBits-1:0]  odd;
    logic [ActBits+Levels-2:0]       excess;
    logic [SumBits-1:0]              offset_q;
    for (genvar k = 0; k < int'(Simd / 2); k++) begin : gen_odd
      assign odd[k] = codes_q[(2*k+1)*ActBits +: ActBits];
    end
    dfc_adder_tree #(.Terms(Simd / 2), .Bits(ActBits), .Signed(1), .SumBits(ActBits + Levels - 1)) u_tree (.clk_i, .terms_i(odd), .sum_o(excess));
    always_ff @(posedge clk_i) offset_q <= -(SumBits'(signed'(excess)) << (WeightBits - 1));
    assign offset = offset_q;
  end else begin : gen_no_offset
    assign offset = '0;
  end
  logic [Pe-1:0][SumBits-1:0] dots;
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_row
    dfc_lb_dot #(.Simd(Simd), .ActBits(ActBits), .WeightBits(WeightBits), .Pairs(32'(p < int'(DspRows))), .Block(Block)) u_dot (
      .clk_i, .codes_i(codes_q), .weights_i(weights_i[p*Simd*WeightBits +: Simd*WeightBits]), .offset_i(offset), .sum_o(dots[p])
    );
  end

  // The step's information, as late as its dot products.
  dfc_lb_step_t [Levels+1:0] info_q;
  logic         [Levels+1:0] step_q;
  always_ff @(posedge clk_i) begin
    info_q <= {info_q[Levels:0], info_i};
    if (!rst_ni) step_q <= '0;
    else         step_q <= {step_q[Levels:0], step_i};
  end
  dfc_lb_step_t info;
  logic         step;
  assign info = info_q[Levels+1];
  assign step = step_q[Levels+1];

  // Partial sums: read one cycle ahead; of the word that is being written the sum goes on as it is.
  logic                  store, passed_q, begins;
  logic [AddrBits-1:0]   ahead;
  logic [Pe*AccBits-1:0] stored;
  logic [Pe*AccBits-1:0] acc_d, acc_q;
  logic                  is_product;
  assign is_product = Whole != 0 && info.op == 3'(`DFC_LB_ACC_OP_MUL);
  assign store = step && info.last && info.acc_store;
  assign ahead = AddrBits'(info_q[Levels].acc_word);
  dfc_ram #(.Width(Pe * AccBits), .Depth(AccWords), .Style(AccWords > 64 ? 0 : 2)) u_acc (
    .clk_i, .wr_en_i(store), .wr_addr_i(AddrBits'(info.acc_word)), .wr_data_i(acc_d),
    .rd_en_i(1'b1), .rd_addr_i(ahead), .rd_data_o(stored)
  );
  always_ff @(posedge clk_i) passed_q <= store && AddrBits'(info.acc_word) == ahead;
  assign begins = info.fresh && !(info.acc_load && passed_q);

  // Values: sums of all taps, or of one.
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_acc
    logic signed [AccBits-1:0] dot, start, so_far, sum;
    assign dot    = AccBits'(signed'(dots[p]));
    assign start  = info.acc_load ? stored[p*AccBits +: AccBits] : (is_product ? AccBits'(signed'(info.number)) : '0);
    assign sum    = acc_q[p*AccBits +: AccBits];
    assign so_far = begins ? start : (info.shift && !info.fresh ? {sum[AccBits-ActBits-1:0], is_product, (ActBits - 1)'(0)} : sum);
    assign acc_d[p*AccBits +: AccBits] = so_far + dot;
  end
  always_ff @(posedge clk_i) if (step) acc_q <= acc_d;

  // The value of a tap against the best before; `best` of a product is its first factor.
  dfc_lb_step_t value;
  logic         value_q;
  always_ff @(posedge clk_i) begin
    value <= info;
    if (!rst_ni) {value_q, valid_o} <= '0;
    else         {value_q, valid_o} <= {step, value_q && value.last};
  end
  logic picks, loose;  // a minimum and the last of the largest: of two that are equal the later
  assign picks = Whole != 0 && (value.op == 3'(`DFC_LB_ACC_OP_ARGMAX) || value.op == 3'(`DFC_LB_ACC_OP_ARGMAX_LAST));
  assign loose = value.op == 3'(`DFC_LB_ACC_OP_MIN) || value.op == 3'(`DFC_LB_ACC_OP_ARGMAX_LAST);
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_join
    logic signed [AccBits-1:0] now, best, best_q;
    logic signed [AccBits:0]   above;  // now - best_q, less 1 where they may not be equal
    logic                      better;
    assign now   = acc_q[p*AccBits +: AccBits];
    assign above = (AccBits + 1)'(now) + ~(AccBits + 1)'(best_q) + signed'((AccBits + 1)'(loose));
    always_comb begin
      unique case (value.op)
        3'(`DFC_LB_ACC_OP_ADD): better = 1'b1;
        3'(`DFC_LB_ACC_OP_MIN): better = above[AccBits];
        default:                better = !above[AccBits] && (!picks || value.present);
      endcase
      if (value.initial_tap) better = 1'b1;
    end
    assign best = better ? now : best_q;
    always_ff @(posedge clk_i) if (value_q && value.ends) best_q <= best;
    logic unused_above;
    assign unused_above = ^above;
    if (Whole != 0) begin : gen_whole
      logic signed [FactorBits-1:0]   first, second;
      logic signed [2*FactorBits-1:0] product;
      logic [ColumnBits-1:0]          place, place_q;
      assign first   = best_q[FactorBits-1:0];
      assign second  = now[FactorBits-1:0];
      assign product = first * second;
      assign place   = better ? value.number[ColumnBits-1:0] : place_q;
      always_ff @(posedge clk_i) begin
        if (value_q && value.ends) place_q <= place;
        sums_o[p*AccBits +: AccBits] <= value.op == 3'(`DFC_LB_ACC_OP_MUL) ? AccBits'(product) : picks ? AccBits'(signed'(place)) : best;
      end
      logic unused_high;
      assign unused_high = ^product;
    end else begin : gen_sums
      always_ff @(posedge clk_i) sums_o[p*AccBits +: AccBits] <= best;
    end
  end
  logic unused_info;
  assign unused_info = ^{info.width, info.part, info.pad, info_q[Levels], value};
endmodule
