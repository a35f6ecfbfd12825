// Maximum, minimum or sum of K elements, for Folds groups of Pe channels that take turns.
// Latency 1 from the last element; interval Positions * K * Folds cycles.
`include "dfc_assert.svh"
module dfc_pool #(
  parameter int unsigned Mode = 0,       // 0 maximum, 1 minimum, 2 sum
  parameter int unsigned Positions = 4,  // reductions in a frame; only the C++ model needs it
  parameter int unsigned K = 4,
  parameter int unsigned Folds = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned InBits = 8,
  parameter int unsigned InSigned = 0,
  parameter int unsigned InBipolar = 0,
  parameter int unsigned OutBits = 8,
  parameter int unsigned OutBipolar = 0
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [Pe*InBits-1:0]  in_data_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  output logic [Pe*OutBits-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                  out_ready_i
);
  if (Mode > 2 || Positions < 1 || K < 1 || Folds < 1 || Pe < 1) begin : gen_check
    $fatal(1, "dfc_pool: Mode must be at most 2, Positions, K, Folds and Pe at least 1");
  end
  if (OutBits < InBits || (InBipolar != 0 && OutBipolar == 0 && OutBits < 2)) begin : gen_check_bits
    $fatal(1, "dfc_pool: the output type must hold the input type");
  end

  localparam int unsigned Slots = Folds == 1 && K > 1 ? 1 : 2;
  localparam int unsigned KBits = K > 1 ? $clog2(K) : 1;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;

  logic [KBits-1:0]    k_q;
  logic [FoldBits-1:0] fold_q;
  logic step, credit, first, last, fold_last;
  assign first      = k_q == '0;
  assign last       = k_q == KBits'(K - 1);
  assign fold_last  = fold_q == FoldBits'(Folds - 1);
  assign in_ready_o = credit || !last;
  assign step       = in_valid_i && in_ready_o;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      k_q    <= '0;
      fold_q <= '0;
    end else if (step) begin
      fold_q <= fold_last ? '0 : fold_q + 1'b1;
      if (fold_last) k_q <= last ? '0 : k_q + 1'b1;
    end
  end

  logic [Pe*OutBits-1:0] held, after;  // the accumulators of this fold
  if (Folds == 1) begin : gen_register
    logic [Pe*OutBits-1:0] sum_q;
    always_ff @(posedge clk_i) if (step) sum_q <= after;
    assign held = sum_q;
  end else begin : gen_memory
    (* ram_style = "distributed" *) logic [Pe*OutBits-1:0] sums [Folds];
    always_ff @(posedge clk_i) if (step) sums[fold_q] <= after;
    assign held = sums[fold_q];
  end

  logic [Pe*OutBits-1:0] wide;
  dfc_extend #(.Lanes(Pe), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .OutBits(OutBits), .OutBipolar(OutBipolar))
    u_extend (.in_i(in_data_i), .out_o(wide));
  for (genvar i = 0; i < Pe; i++) begin : gen_lane
    logic [OutBits-1:0] a, b, best;
    assign a = wide[i*OutBits+:OutBits];
    assign b = held[i*OutBits+:OutBits];
    if (Mode == 2) begin : gen_sum
      assign best = a + b;
    end else begin : gen_compare
      logic less;  // a below b; the patterns of a bipolar type are ordered like numbers without sign
      assign less = InSigned != 0 && OutBipolar == 0 ? $signed(a) < $signed(b) : a < b;
      assign best = less == (Mode == 1) ? a : b;
    end
    assign after[i*OutBits+:OutBits] = first ? a : best;
  end

  dfc_stream_out #(.Width(Pe * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step && last), .credit_o(credit), .push_i(step && last), .data_i(after),
    .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
