// Sums of products: Pe lanes of Simd products a step, and of the steps up to one with last_i. It never stalls.
// Arithmetic: 0 the tool's choice, 1 LUTs, 2 DSP slices, 3 and 4 carry chains of AMD's CARRY4 and CARRY8 (dfc_dot_carry),
// 5 and 6 chains of AMD's DSP slices, of 25 and 27 columns, that have several products each (dfc_dots_packed).
// With Start a sum starts with minus its threshold, and its highest bit is set where it reaches that (dfc_starts); not with 5 and 6.
// Latency from a last step's cycle to its sums: 1 + DotLatency + Accumulate; one step a cycle.
// Thousands of cells take Verilator minutes to compile: it sees the sums that they make, cycle for cycle, unless DFC_CELLS is defined.
module dfc_sums #(
  parameter int unsigned Pe           = 1,
  parameter int unsigned Simd         = 1,
  parameter int unsigned InputLanes   = 1,  // 1: all lanes work on the same inputs, Pe: each has its own
  parameter int unsigned Terms        = 4,  // products in a sum
  parameter int unsigned Steps        = 0,  // of a sum; chains need it
  parameter int unsigned InBits       = 2,
  parameter int unsigned InSigned     = 0,
  parameter int unsigned InBipolar    = 0,
  parameter int unsigned WeightBits   = 2,
  parameter int unsigned WeightSigned = 1,
  parameter int unsigned Xnor         = 0,
  parameter int unsigned AccBits      = 8,
  parameter int unsigned Arithmetic   = 0,
  parameter int unsigned Start        = 0,
  parameter int unsigned Folds        = 1,  // sums of a lane in turn, each with a threshold
  parameter int unsigned ThreshBits   = 1,
  parameter int unsigned ThreshSigned = 0,
  parameter int unsigned ThreshShared = 0,
  parameter              ThresholdsFile = ""
) (
  input  logic                              clk_i,
  input  logic                              rst_ni,
  input  logic                              step_i,  // a step happens; its operands follow in the next cycle
  input  logic                              last_i,
  input  logic [InputLanes*Simd*InBits-1:0] inputs_i,
  input  logic [Pe*Simd*WeightBits-1:0]     weights_i,
  output logic [Pe*AccBits-1:0]             sums_o,
  output logic                              valid_o
);
  localparam int unsigned PlaneLimit  = 6;  // as in arithmetic.py
  localparam int unsigned XBits       = (InBipolar != 0) ? 2 : InBits;
  localparam bit Planar               = XBits * WeightBits <= PlaneLimit;
  localparam bit Gated                = Xnor != 0 || (InBits == 1 && InSigned == 0 && InBipolar == 0) || (WeightBits == 1 && WeightSigned == 0);
  localparam int unsigned PopLatency  = 1 + ((Simd > 3) ? 1 : 0) + $clog2((Simd + 8) / 9);
  localparam int unsigned TreeLatency = $clog2(Simd);
  localparam bit Carry                = Arithmetic == 3 || Arithmetic == 4;
  localparam bit Packed               = Arithmetic == 5 || Arithmetic == 6;
  localparam int unsigned Columns     = (Arithmetic == 6) ? 27 : 25;
  localparam int unsigned Pack        = (Columns - WeightBits - 1) / (XBits + WeightBits) + 1;  // products whose weights are one operand
  localparam int unsigned Apart       = (Columns - WeightBits - 1) / ((Pack > 1) ? Pack - 1 : 1);
  localparam int unsigned Field       = (Apart < 48 / Pack) ? Apart : 48 / Pack;  // bits of the sum of a chain, in a slice of 48
  localparam int unsigned MostChained = 4;                                        // as in packed.py
  function automatic int unsigned chain();  // products that a field holds the sum of, in chains of about one length
    bit signs = InSigned != 0 || WeightSigned != 0;
    longint unsigned most = ((64'd1 << (XBits - InSigned)) - 64'(InSigned == 0)) * ((64'd1 << (WeightBits - WeightSigned)) - 64'(WeightSigned == 0));
    longint unsigned fit = ((64'd1 << (Field - 32'(signs))) - 64'd1) / ((most > 0) ? most : 64'd1);
    int unsigned longest = (fit < 64'(MostChained)) ? 32'(fit) : MostChained, chains;
    if (longest > Simd) longest = Simd;
    if (longest < 1) longest = 1;
    chains = (Simd + longest - 1) / longest;
    return (Simd + chains - 1) / chains;
  endfunction
  localparam int unsigned Chain       = chain();
`ifdef DFC_CELLS
  localparam bit Plain                = 1'b0;
`elsif VERILATOR
  localparam bit Plain                = 1'b1;
`else
  localparam bit Plain                = 1'b0;
`endif
  `include "dfc_carry.svh"
  // Cycles more than one that a product takes.
  localparam int unsigned Operands    = ((Arithmetic != 0 || XBits + WeightBits > 8) ? 1 : 0) + ((Arithmetic == 1 && WeightBits > 4) ? 1 : 0);
  localparam int unsigned DotLatency  = Carry ? 1 + carry_levels(Simd * WeightBits)
                                      : Packed ? Chain + 2 + $clog2((Simd + Chain - 1) / Chain)
                                      : Planar ? ((Arithmetic == 1 && !Gated) ? 1 : 0) + PopLatency + $clog2(XBits * WeightBits)
                                      : !Gated ? Operands + 1 + TreeLatency : (Simd > 1) ? TreeLatency : 1;
  localparam bit Accumulate           = Carry || Packed || Terms != Simd;

  if (Pe < 1 || Terms < Simd || (InputLanes != 1 && InputLanes != Pe) || ((Carry || Packed) && Steps == 0)) begin : gen_check
    $fatal(1, "dfc_sums: Pe must be at least 1, Simd at most Terms, InputLanes be 1 or Pe, and chains know the Steps of a sum");
  end

  if (Start != 0 && (Packed || !Accumulate)) begin : gen_check_start
    $fatal(1, "dfc_sums: only sums of several steps or on carry chains start with their thresholds");
  end

  if (Packed && (Planar || Gated || InBipolar != 0 || InputLanes != 1 || Pack < 2 || InBits > 17)) begin : gen_check_packed
    $fatal(1, "dfc_sums: packed products are of lanes with the same inputs, and two weights and a product fit a slice's columns");
  end

  // A step and its last flag on their way to the dot products' results: [0] with the operands.
  logic [DotLatency:0] step_q, last_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      step_q <= '0;
      last_q <= '0;
    end else begin
      step_q <= (DotLatency + 1)'({step_q, step_i});
      last_q <= (DotLatency + 1)'({last_q, step_i && last_i});
    end
  end

  localparam logic [63:0] Constants = (Carry && !Plain)
    ? carry_constants(Steps * Simd, XBits, InSigned != 0 || InBipolar != 0, WeightBits, WeightSigned != 0 && Xnor == 0) : '0;

  logic first_q;
  logic [Pe-1:0][AccBits-1:0] start, next, first;
  if (Carry || Packed || Start != 0) begin : gen_first
    always_ff @(posedge clk_i) begin
      if (!rst_ni)                 first_q <= 1'b1;
      else if (step_q[DotLatency]) first_q <= last_q[DotLatency];
    end
  end else begin : gen_no_first
    assign first_q = 1'b0;
  end
  if (Start != 0) begin : gen_starts
    dfc_starts #(
      .File(ThresholdsFile), .Lanes(Pe), .Folds(Folds), .Shared(ThreshShared), .ThreshBits(ThreshBits), .Signed(ThreshSigned), .Width(AccBits),
      .Offset(AccBits'(Constants))
    ) u_starts (.clk_i, .rst_ni, .advance_i(last_q[DotLatency]), .words_o(start), .next_o(next), .first_o(first));
  end else begin : gen_no_starts
    assign {start, next, first} = '0;
    logic unused;
    assign unused = ^{Folds, ThreshBits, ThreshSigned, ThreshShared, ThresholdsFile == ""};
  end
  logic unused_start;
  assign unused_start = ^{start, next, first, first_q};

  if (Carry || Packed) begin : gen_chains
    if (Packed && !Plain) begin : gen_packed
      dfc_dots_packed #(
        .Pe(Pe), .Simd(Simd), .XBits(InBits), .XSigned(InSigned), .WBits(WeightBits), .WSigned(WeightSigned), .Columns(Columns), .Pack(Pack),
        .Field(Field), .Chain(Chain), .Steps(Steps), .SumBits(AccBits)
      ) u_dots (.clk_i, .inputs_i(inputs_i[Simd*InBits-1:0]), .weights_i, .step_i(step_q[DotLatency]), .first_i(first_q), .sums_o);
    end else begin : gen_rows
      for (genvar p = 0; p < int'(Pe); p++) begin : gen_lane
        localparam int unsigned Source = (InputLanes == 1) ? 0 : p;
        if (Plain) begin : gen_sums
          dfc_dot_plain #(
            .Simd(Simd), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .WeightBits(WeightBits), .WeightSigned(WeightSigned),
            .Xnor(Xnor), .Delay(DotLatency), .SumBits(AccBits)
          ) u_dot (
            .clk_i, .inputs_i(inputs_i[Source*Simd*InBits +: Simd*InBits]), .weights_i(weights_i[p*Simd*WeightBits +: Simd*WeightBits]),
            .step_i(step_q[DotLatency]), .first_i(first_q), .start_i(start[p]), .sum_o(sums_o[p*AccBits +: AccBits])
          );
        end else begin : gen_carry
          dfc_dot_carry #(
            .Simd(Simd), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .WeightBits(WeightBits), .WeightSigned(WeightSigned),
            .Xnor(Xnor), .Block((Arithmetic == 3) ? 4 : 8), .Levels(carry_levels(Simd * WeightBits)), .Start(Start), .SumBits(AccBits),
            .Constants(AccBits'(Constants))
          ) u_dot (
            .clk_i, .rst_ni, .inputs_i(inputs_i[Source*Simd*InBits +: Simd*InBits]), .weights_i(weights_i[p*Simd*WeightBits +: Simd*WeightBits]),
            .step_i(step_q[DotLatency]), .first_i(first_q), .last_i(last_q[DotLatency]), .start_i({first[p], next[p], start[p]}),
            .sum_o(sums_o[p*AccBits +: AccBits])
          );
        end
      end
    end
  end else begin : gen_plain
    logic [Pe*AccBits-1:0] sum;
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_lane
      localparam int unsigned Source = (InputLanes == 1) ? 0 : p;
      dfc_dot #(
        .Simd(Simd), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .WeightBits(WeightBits), .WeightSigned(WeightSigned),
        .Xnor(Xnor), .Arithmetic(Arithmetic), .PlaneLimit(PlaneLimit), .SumBits(AccBits)
      ) u_dot (
        .clk_i, .inputs_i(inputs_i[Source*Simd*InBits +: Simd*InBits]), .weights_i(weights_i[p*Simd*WeightBits +: Simd*WeightBits]),
        .sum_o(sum[p*AccBits +: AccBits])
      );
      if (Accumulate) begin : gen_accumulate
        dfc_accumulate #(.Bits(AccBits), .Start(Start)) u_accumulate (
          .clk_i, .rst_ni, .step_i(step_q[DotLatency]), .first_i(first_q), .last_i(last_q[DotLatency]),
          .value_i(sum[p*AccBits +: AccBits]), .start_i(start[p]), .sum_o(sums_o[p*AccBits +: AccBits])
        );
      end else begin : gen_sum
        assign sums_o[p*AccBits +: AccBits] = sum[p*AccBits +: AccBits];
      end
    end
  end

  if (Accumulate) begin : gen_valid
    always_ff @(posedge clk_i) valid_o <= rst_ni && last_q[DotLatency];
  end else begin : gen_valid
    assign valid_o = last_q[DotLatency];
    logic unused;
    assign unused = ^step_q;
  end
endmodule
