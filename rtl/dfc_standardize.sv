// Each element over the root of its row's squares: floor(d * root / 2**Drop), root = floor(2**Bits / sqrt(V + Epsilon / 2**Shift)).
// Centred: d = Channels * element - sum and V = Channels * sum of squares - sum**2 over a row of Channels elements; else d is the element
// and V the sum of squares. Rows are kept until their root is known: Roots units in turn find one bit of a root in a cycle.
// Interval Beats cycles a row; latency from a row's last beat to its first result: $clog2(Lanes) + RootBits + 9 + a cycle for each 17
// bits of a root.
`include "dfc_assert.svh"
module dfc_standardize #(
  parameter int unsigned Channels    = 8,
  parameter int unsigned Lanes       = 2,
  parameter int unsigned InBits      = 4,
  parameter int unsigned InSigned    = 1,
  parameter int unsigned Centred     = 1,
  parameter int unsigned Bits        = 20,
  parameter int unsigned Drop        = 7,
  parameter int unsigned Shift       = 0,
  parameter int unsigned EpsilonHigh = 0,  // times 2**31
  parameter int unsigned EpsilonLow  = 1,
  parameter int unsigned SquareBits  = 13, // of V
  parameter int unsigned RootBits    = 20,
  parameter int unsigned RestBits    = 32, // of what is left of the square of a root
  parameter int unsigned OutBits     = 16,
  parameter int unsigned Roots       = 6,
  parameter int unsigned RamStyle    = 0,
  parameter int unsigned Slots       = 8,
  parameter int unsigned Pages       = 3
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
  localparam int unsigned Beats     = (Channels + Lanes - 1) / Lanes;
  localparam int unsigned SumBits   = InBits + $clog2(Channels);
  localparam int unsigned DBits     = (Centred != 0) ? SumBits + 2 : InBits + 1;
  localparam int unsigned WBits     = SquareBits + Shift + 1;
  localparam int unsigned Pieces    = (RootBits + 16) / 17;

  if (Lanes < 1 || Lanes > Channels || RootBits < 1 || Roots * Beats < RootBits + 1 || 2 * Bits + Shift < 2 * RootBits) begin : gen_check
    $fatal(1, "dfc_standardize: Lanes must be 1 to Channels, and Roots enough for a row in Beats cycles");
  end

  logic take, last, made;
  logic [WBits-1:0] w;
  logic [SumBits-1:0] sum;
  dfc_row_squares #(
    .Channels(Channels), .Lanes(Lanes), .InBits(InBits), .InSigned(InSigned), .Centred(Centred), .Shift(Shift), .EpsilonHigh(EpsilonHigh),
    .EpsilonLow(EpsilonLow), .SquareBits(SquareBits), .SumBits(SumBits), .WBits(WBits)
  ) u_squares (.clk_i, .rst_ni, .take_i(take), .last_i(last), .beat_i(in_data_i), .made_o(made), .w_o(w), .sum_o(sum));

  // Roots in turn.
  localparam logic [RestBits-1:0] Start = RestBits'(1) << (2 * Bits + Shift - 2 * RootBits);
  localparam int unsigned TurnBits = (Roots > 1) ? $clog2(Roots) : 1;
  logic [TurnBits-1:0] load_q, done_q;  // whose turn it is
  logic [Roots-1:0] done;
  logic [SumBits+RootBits-1:0] found [Roots];
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {load_q, done_q} <= '0;
    end else begin
      if (made)    load_q <= (load_q == TurnBits'(Roots - 1)) ? '0 : load_q + 1'b1;
      if (done[done_q]) done_q <= (done_q == TurnBits'(Roots - 1)) ? '0 : done_q + 1'b1;
    end
  end
  for (genvar k = 0; k < int'(Roots); k++) begin : gen_root
    logic load;
    logic [SumBits-1:0] of_q;
    logic [RootBits-1:0] root;
    assign load = made && load_q == TurnBits'(k);
    always_ff @(posedge clk_i) if (load) of_q <= sum;
    dfc_inverse_root #(.WBits(WBits), .RootBits(RootBits), .RestBits(RestBits)) u_root (
      .clk_i, .rst_ni, .load_i(load), .w_i(w), .start_i(Start), .steps_i($clog2(RootBits + 2)'(RootBits)), .done_o(done[k]), .root_o(root)
    );
    assign found[k] = {of_q, root};
  end

  logic step, ready, credit;
  logic [Lanes*InBits-1:0] beat;
  logic [SumBits-1:0] of_row;
  logic [RootBits-1:0] root, root_q;
  assign step = ready && credit;
  dfc_row_buffer #(.Width(Lanes * InBits), .ResultWidth(SumBits + RootBits), .Beats(Beats), .Pages(Pages), .Style(RamStyle)) u_rows (
    .clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o, .take_o(take), .last_o(last), .result_valid_i(done[done_q]),
    .result_i(found[done_q]), .ready_o(ready), .step_i(step), .beat_o(beat), .result_o({of_row, root})
  );

  // A step on its way: [0] with its beat, [1] with d, then a product with 17 bits of the root after the other.
  logic [Pieces+1:0] step_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) step_q <= '0;
    else         step_q <= (Pieces + 2)'({step_q, step});
    root_q <= root;
  end
  localparam int unsigned AllBits = DBits + 17 * Pieces + 1;
  logic [17*Pieces-1:0] padded;
  assign padded = (17 * Pieces)'(root_q);
  logic [Lanes*OutBits-1:0] results;
  for (genvar i = 0; i < int'(Lanes); i++) begin : gen_lane
    logic signed [InBits:0] x;
    logic signed [DBits-1:0] d, d_q;
    assign x = (InSigned != 0) ? (InBits+1)'(signed'(beat[i*InBits +: InBits])) : signed'({1'b0, beat[i*InBits +: InBits]});
    if (Centred != 0) begin : gen_centred
      logic signed [DBits-1:0] times, all;
      always_comb begin
        times = '0;
        for (int b = 0; b < 32; b++) if (((Channels >> b) & 1) != 0) times += DBits'(x) <<< b;
      end
      assign all = (InSigned != 0) ? DBits'(signed'(of_row)) : DBits'(signed'({1'b0, of_row}));
      assign d   = times - all;
    end else begin : gen_plain
      assign d = x;
    end
    always_ff @(posedge clk_i) d_q <= d;
    for (genvar p = 0; p < int'(Pieces); p++) begin : gen_piece
      logic signed [DBits+17:0] product;
      logic signed [AllBits-1:0] so_far_q;
      assign product = d_q * signed'({1'b0, padded[p*17 +: 17]});
      if (p == 0) begin : gen_lowest
        always_ff @(posedge clk_i) so_far_q <= AllBits'(product);
      end else begin : gen_higher
        logic signed [DBits+17:0] late_q [p];  // until the sum of the lower ones has come
        always_ff @(posedge clk_i) begin
          late_q[0] <= product;
          for (int l = 1; l < p; l++) late_q[l] <= late_q[l-1];
          so_far_q <= gen_piece[p-1].so_far_q + (AllBits'(late_q[p-1]) <<< (17 * p));
        end
      end
    end
    assign results[i*OutBits +: OutBits] = OutBits'(gen_piece[Pieces-1].so_far_q >>> Drop);
    logic unused;
    assign unused = ^gen_piece[Pieces-1].so_far_q;
  end
  dfc_stream_out #(.Width(Lanes * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(step_q[Pieces+1]), .data_i(results), .out_data_o, .out_valid_o, .out_ready_i
  );
  if (Centred == 0) begin : gen_unused
    logic unused;
    assign unused = ^of_row;
  end

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
