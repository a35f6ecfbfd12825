// What the root of a row of Channels elements is found of: V + Epsilon / 2**Shift in parts of 2**-Shift, and the row's sum.
// Centred: V = Channels * sum of squares - sum**2; else the sum of squares. made_o comes $clog2(Lanes) + 4 cycles after a row's last beat.
module dfc_row_squares #(
  parameter int unsigned Channels    = 8,
  parameter int unsigned Lanes       = 2,
  parameter int unsigned InBits      = 4,
  parameter int unsigned InSigned    = 1,
  parameter int unsigned Centred     = 1,
  parameter int unsigned Shift       = 0,
  parameter int unsigned EpsilonHigh = 0,  // times 2**31
  parameter int unsigned EpsilonLow  = 1,
  parameter int unsigned SquareBits  = 13, // of V
  parameter int unsigned SumBits     = 7,
  parameter int unsigned WBits       = 14
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    take_i,
  input  logic                    last_i,  // of a row
  input  logic [Lanes*InBits-1:0] beat_i,
  output logic                    made_o,
  output logic [WBits-1:0]        w_o,
  output logic [SumBits-1:0]      sum_o
);
  localparam int unsigned Beats     = (Channels + Lanes - 1) / Lanes;
  localparam int unsigned Tail      = Channels - (Beats - 1) * Lanes;
  localparam int unsigned Levels    = $clog2(Lanes);
  localparam int unsigned TotalBits = 2 * InBits + $clog2(Channels);

  if (Lanes < 1 || Lanes > Channels || SumBits < InBits + $clog2(Channels)) begin : gen_check
    $fatal(1, "dfc_row_squares: Lanes must be 1 to Channels, and SumBits hold a sum");
  end

  // The sums of a row and of its squares.
  logic [Levels+1:0] take_q, last_q;
  logic [Lanes*InBits-1:0] terms, terms_q;
  logic [Lanes*2*InBits-1:0] squares_q;
  if (Tail != Lanes) begin : gen_tail
    assign terms = last_i ? beat_i & {{(Lanes-Tail)*InBits{1'b0}}, {Tail*InBits{1'b1}}} : beat_i;
  end else begin : gen_tail
    assign terms = beat_i;
  end
  assign take_q[0] = take_i;
  assign last_q[0] = last_i;
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
  logic [SumBits-1:0] sum_late_q;
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
    w_o       <= (WBits'(SquareBits'(above_q - below_q)) << Shift) + WBits'(Epsilon);
    sum_late_q <= sum_q;
    sum_o      <= sum_late_q;
  end
  assign made_o = made_q[2];
endmodule
