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
  localparam int unsigned Tail      = Channels - (Beats - 1) * Lanes;
  localparam int unsigned Levels    = $clog2(Lanes);
  localparam int unsigned SumBits   = InBits + $clog2(Channels);
  localparam int unsigned TotalBits = 2 * InBits + $clog2(Channels);
  localparam int unsigned DBits     = (Centred != 0) ? SumBits + 2 : InBits + 1;
  localparam int unsigned WBits     = SquareBits + Shift + 1;
  localparam int unsigned Pieces    = (RootBits + 16) / 17;

  if (Lanes < 1 || Lanes > Channels || RootBits < 1 || Roots * Beats < RootBits + 1 || 2 * Bits + Shift < 2 * RootBits) begin : gen_check
    $fatal(1, "dfc_standardize: Lanes must be 1 to Channels, and Roots enough for a row in Beats cycles");
  end

  // The sums of a row and of its squares.
  logic take, last;
  logic [Levels+1:0] take_q, last_q;
  logic [Lanes*InBits-1:0] terms, terms_q;
  logic [Lanes*2*InBits-1:0] squares_q;
  if (Tail != Lanes) begin : gen_tail
    assign terms = last ? in_data_i & {{(Lanes-Tail)*InBits{1'b0}}, {Tail*InBits{1'b1}}} : in_data_i;
  end else begin : gen_tail
    assign terms = in_data_i;
  end
  assign take_q[0] = take;
  assign last_q[0] = last;
  always_ff @(posedge clk_i) begin
    for (int l = 1; l <= int'(Levels) + 1; l++) begin
      take_q[l] <= rst_ni && take_q[l-1];
      last_q[l] <= last_q[l-1];
    end
    terms_q <= terms;
  end
  for (genvar i = 0; i < int'(Lanes); i++) begin : gen_square
    logic signed [InBits:0] x;
    logic signed [2*InBits+1:0] xx;
    assign x  = (InSigned != 0) ? (InBits+1)'(signed'(terms[i*InBits +: InBits])) : signed'({1'b0, terms[i*InBits +: InBits]});
    assign xx = x * x;
    always_ff @(posedge clk_i) squares_q[i*2*InBits +: 2*InBits] <= xx[2*InBits-1:0];
    logic unused;
    assign unused = ^xx[2*InBits+1:2*InBits];
  end
  logic [SumBits-1:0] sum, sum_q;
  logic [TotalBits-1:0] total, total_q;
  dfc_adder_tree #(.Terms(Lanes), .Bits(InBits), .Signed(InSigned), .SumBits(SumBits)) u_sum (.clk_i, .terms_i(terms_q), .sum_o(sum));
  dfc_adder_tree #(.Terms(Lanes), .Bits(2 * InBits), .Signed(0), .SumBits(TotalBits)) u_total (
    .clk_i, .terms_i(squares_q), .sum_o(total)
  );
  logic first_q;
  logic [2:0] made_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q <= 1'b1;
      made_q  <= '0;
    end else begin
      if (take_q[Levels+1]) first_q <= last_q[Levels+1];
      made_q <= {made_q[1:0], take_q[Levels+1] && last_q[Levels+1]};
    end
  end
  always_ff @(posedge clk_i) begin
    if (take_q[Levels+1]) begin
      sum_q   <= first_q ? sum : sum_q + sum;
      total_q <= first_q ? total : total_q + total;
    end
  end

  // V + epsilon, in parts of 2**-Shift.
  localparam logic [61:0] Epsilon = {31'(EpsilonHigh), 31'(EpsilonLow)};
  logic [SquareBits-1:0] above_q, below_q;
  logic [WBits-1:0] w_q;
  logic [SumBits-1:0] sums_q [2];
  if (Centred != 0) begin : gen_centred
    logic [SquareBits-1:0] times;
    logic signed [SumBits:0] s;
    logic signed [2*SumBits+1:0] ss;
    assign s  = (InSigned != 0) ? (SumBits+1)'(signed'(sum_q)) : signed'({1'b0, sum_q});
    assign ss = s * s;
    always_comb begin
      times = '0;
      for (int b = 0; b < 32; b++) if (((Channels >> b) & 1) != 0) times += SquareBits'(total_q) << b;
    end
    always_ff @(posedge clk_i) begin
      above_q <= times;
      below_q <= SquareBits'(unsigned'(ss));
    end
    logic unused;
    assign unused = ^ss;
  end else begin : gen_plain
    always_ff @(posedge clk_i) begin
      above_q <= SquareBits'(total_q);
      below_q <= '0;
    end
  end
  always_ff @(posedge clk_i) begin
    w_q       <= (WBits'(SquareBits'(above_q - below_q)) << Shift) + WBits'(Epsilon);
    sums_q[0] <= sum_q;
    sums_q[1] <= sums_q[0];
  end

  // A root, from its highest bit on: rest = 2**(2 * Bits + Shift) - root**2 * w and step = 4 * root * w + w, in units of the bit that was
  // found last; the next bit is 1 where 4 * rest is at least step.
  localparam logic [RestBits-1:0] Start = RestBits'(1) << (2 * Bits + Shift - 2 * RootBits);
  localparam int unsigned TurnBits = (Roots > 1) ? $clog2(Roots) : 1;
  logic [TurnBits-1:0] load_q, done_q;  // whose turn it is
  logic [Roots-1:0] done;
  logic [SumBits+RootBits-1:0] found [Roots];
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {load_q, done_q} <= '0;
    end else begin
      if (made_q[2])    load_q <= (load_q == TurnBits'(Roots - 1)) ? '0 : load_q + 1'b1;
      if (done[done_q]) done_q <= (done_q == TurnBits'(Roots - 1)) ? '0 : done_q + 1'b1;
    end
  end
  for (genvar k = 0; k < int'(Roots); k++) begin : gen_root
    logic [RootBits:0] left_q;  // a one that moves down says when all bits are found
    logic [RestBits-1:0] rest_q, step_q, lifted;
    logic [RestBits:0] less;
    logic [WBits-1:0] by_q;
    logic [RootBits-1:0] root_q;
    logic [SumBits-1:0] of_q;
    logic load;
    assign load = made_q[2] && load_q == TurnBits'(k);
    assign lifted = rest_q << 2;
    assign less   = {1'b0, lifted} - {1'b0, step_q};
    always_ff @(posedge clk_i) begin
      if (!rst_ni)   left_q <= '0;
      else if (load) left_q <= {1'b1, {RootBits{1'b0}}};
      else           left_q <= left_q >> 1;
    end
    always_ff @(posedge clk_i) begin
      if (load) begin
        rest_q <= Start;
        step_q <= RestBits'(w_q);
        by_q   <= w_q;
        of_q   <= sums_q[1];
        root_q <= '0;
      end else begin
        rest_q <= less[RestBits] ? lifted : less[RestBits-1:0];
        step_q <= (step_q << 1) + (less[RestBits] ? -RestBits'(by_q) : RestBits'({by_q, 1'b0}) + RestBits'(by_q));
        root_q <= RootBits'({root_q, !less[RestBits]});
      end
    end
    assign done[k]  = left_q[0];
    assign found[k] = {of_q, root_q};
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
