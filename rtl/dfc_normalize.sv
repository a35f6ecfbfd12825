// Each element's share of the sum of its row of Channels: round(element * (Factor << FactorShift) / (sum * (Divisor << DivisorShift))),
// at most Most, and Zero more. Rows are kept until their sum is known; each lane has a restoring divider of a stage for each bit.
// Rounding: 0 down, 1 to the nearest and ties to even results, 2 and 3 ties up and down, 4 up. Interval Beats cycles a row; latency from
// a row's last beat to its first result: $clog2(Lanes) + 6 + the bits of Most.
`include "dfc_assert.svh"
module dfc_normalize #(
  parameter int unsigned Channels     = 8,
  parameter int unsigned Lanes        = 2,
  parameter int unsigned InBits       = 8,
  parameter int unsigned Factor       = 15,
  parameter int unsigned FactorShift  = 0,
  parameter int unsigned Divisor      = 1,
  parameter int unsigned DivisorShift = 0,
  parameter int unsigned Rounding     = 1,
  parameter int unsigned Most         = 15,
  parameter int unsigned Zero         = 0,  // as a pattern of OutBits bits
  parameter int unsigned OutBits      = 4,
  parameter int unsigned RamStyle     = 0,
  parameter int unsigned Slots        = 8,
  parameter int unsigned Pages        = 3
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic [Lanes*InBits-1:0]  in_data_i,
  input  logic                     in_valid_i,
  output logic                     in_ready_o,
  output logic [Lanes*OutBits-1:0] out_data_o,
  output logic                     out_valid_o,
  input  logic                     out_ready_i
);
  localparam int unsigned Beats   = (Channels + Lanes - 1) / Lanes;
  localparam int unsigned Tail    = Channels - (Beats - 1) * Lanes;
  localparam int unsigned Levels  = $clog2(Lanes);
  localparam int unsigned SumBits = InBits + $clog2(Channels);
  localparam int unsigned DenBits = SumBits + $clog2(Divisor + 1) + DivisorShift;
  localparam int unsigned NumBits = InBits + $clog2(Factor + 1) + FactorShift;
  localparam int unsigned Bits    = $clog2(Most + 1);
  // What is divided, 2 * numerator + up to 2 * denominator, and 2 * denominator as high as the stages lift it.
  localparam int unsigned RestBits = ((NumBits > DenBits) ? NumBits : DenBits) + 2;
  localparam int unsigned Wide     = (RestBits > DenBits + 1 + Bits) ? RestBits : DenBits + 1 + Bits;

  if (Lanes < 1 || Lanes > Channels || Most < 1 || OutBits < Bits || Rounding > 4) begin : gen_check
    $fatal(1, "dfc_normalize: Lanes must be 1 to Channels, Most at least 1 and hold in OutBits, Rounding at most 4");
  end

  // The denominator of a row: its sum times a constant.
  logic take, last, made_q, known_q, first_q;
  logic [Levels:0] take_q, last_q;
  assign take_q[0] = take;
  assign last_q[0] = last;
  if (Levels > 0) begin : gen_levels
    always_ff @(posedge clk_i) begin
      for (int l = 1; l <= int'(Levels); l++) begin
        take_q[l] <= rst_ni && take_q[l-1];
        last_q[l] <= last_q[l-1];
      end
    end
  end
  logic [Lanes*InBits-1:0] terms;
  if (Tail != Lanes) begin : gen_tail
    assign terms = last ? in_data_i & {{(Lanes-Tail)*InBits{1'b0}}, {Tail*InBits{1'b1}}} : in_data_i;
  end else begin : gen_tail
    assign terms = in_data_i;
  end
  logic [SumBits-1:0] sum, partial_q;
  logic [DenBits-1:0] made, den_q;
  dfc_adder_tree #(.Terms(Lanes), .Bits(InBits), .Signed(0), .SumBits(SumBits)) u_tree (.clk_i, .terms_i(terms), .sum_o(sum));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q           <= 1'b1;
      {made_q, known_q} <= '0;
    end else begin
      if (take_q[Levels]) first_q <= last_q[Levels];
      made_q  <= take_q[Levels] && last_q[Levels];
      known_q <= made_q;
    end
  end
  always_ff @(posedge clk_i) if (take_q[Levels]) partial_q <= first_q ? sum : partial_q + sum;
  // Products with constants as sums of shifted numbers: a multiplier would be far larger than they are.
  always_comb begin
    made = '0;
    for (int b = 0; b < 32; b++) if (((Divisor >> b) & 1) != 0) made += DenBits'(partial_q) << (b + int'(DivisorShift));
  end
  always_ff @(posedge clk_i) den_q <= made;

  logic step, ready, credit;
  logic [Lanes*InBits-1:0] beat;
  logic [DenBits-1:0] den;
  assign step = ready && credit;
  dfc_row_buffer #(.Width(Lanes * InBits), .ResultWidth(DenBits), .Beats(Beats), .Pages(Pages), .Style(RamStyle)) u_rows (
    .clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o, .take_o(take), .last_o(last), .result_valid_i(known_q), .result_i(den_q),
    .ready_o(ready), .step_i(step), .beat_o(beat), .result_o(den)
  );

  // A step on its way: [0] with its beat, [1] with what is divided, then the stages of the division.
  logic [Bits+1:0] step_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) step_q <= '0;
    else         step_q <= (Bits + 2)'({step_q, step});
  end
  logic [Wide-1:0] by [Bits+1];  // twice the denominator
  always_ff @(posedge clk_i) begin
    by[0] <= Wide'({den, 1'b0});
    for (int b = 1; b <= int'(Bits); b++) by[b] <= by[b-1];
  end

  localparam logic [Wide-1:0] Offset = (Rounding == 0) ? '0 : '1;  // whether the denominator is added, once or twice
  logic [Lanes*OutBits-1:0] results;
  for (genvar i = 0; i < int'(Lanes); i++) begin : gen_lane
    logic [Wide-1:0] rest [Bits+1];
    logic [Bits-1:0] code [Bits+1];
    logic over [Bits+1];
    logic [Wide-1:0] numerator, more;
    always_comb begin
      numerator = '0;
      for (int b = 0; b < 32; b++) if (((Factor >> b) & 1) != 0) numerator += Wide'(beat[i*InBits +: InBits]) << (b + 1 + int'(FactorShift));
    end
    assign more      = (Rounding == 4) ? Wide'({den, 1'b0}) : Wide'(den) & Offset;
    always_ff @(posedge clk_i) begin
      rest[0] <= numerator + more;
      code[0] <= '0;
      over[0] <= 1'b0;
    end
    for (genvar b = 0; b < int'(Bits); b++) begin : gen_stage
      localparam int unsigned Place = Bits - 1 - b;
      // One subtraction says whether the number fits and what is left.
      logic fits;
      logic [Wide:0] less;
      assign less = {1'b0, rest[b]} - {1'b0, by[b] << Place};
      assign fits = !less[Wide];
      always_ff @(posedge clk_i) begin
        rest[b+1] <= fits ? less[Wide-1:0] : rest[b];
        code[b+1] <= code[b] | (Bits'(fits) << Place);
        over[b+1] <= (b == 0) ? rest[0] >= (by[0] << Bits) : over[b];
      end
    end
    // A rest of 0 is a tie, or with Rounding 4 a whole number; whether the last stage leaves it is found beside its subtraction.
    logic down, beyond, nothing_q;
    logic [Bits-1:0] found, limited;
    always_ff @(posedge clk_i) nothing_q <= rest[Bits-1] == '0 || rest[Bits-1] == by[Bits-1];
    assign down    = nothing_q && (Rounding == 3 || Rounding == 4 || (Rounding == 1 && (code[Bits][0] ^ Zero[0])));
    assign found   = code[Bits] - Bits'(down);
    if (Most + 1 < 2 ** Bits) begin : gen_most
      assign beyond = over[Bits] || found > Bits'(Most);
    end else begin : gen_all
      assign beyond = over[Bits];
    end
    assign limited = beyond ? Bits'(Most) : found;
    assign results[i*OutBits +: OutBits] = OutBits'(limited) + OutBits'(Zero);
  end
  dfc_stream_out #(.Width(Lanes * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(step_q[Bits+1]), .data_i(results), .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
