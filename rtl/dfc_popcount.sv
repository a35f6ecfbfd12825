// Number of ones among Terms bits: threes of bits, threes of those in six-input functions, then a tree of adders.
// Latency 1 + (Terms > 3) + $clog2(ceil(Terms / 9)) cycles, one count a cycle.
module dfc_popcount #(
  parameter int unsigned Terms = 9,
  localparam int unsigned CountBits = $clog2(Terms + 1)
) (
  input  logic                 clk_i,
  input  logic [Terms-1:0]     bits_i,
  output logic [CountBits-1:0] count_o
);
  localparam int unsigned Nines  = (Terms + 8) / 9;
  localparam int unsigned Threes = (Terms > 3) ? 3 * Nines : 1;

  if (Terms < 1) begin : gen_check
    $fatal(1, "dfc_popcount: Terms must be at least 1");
  end

  logic [3*Threes-1:0]    padded;
  logic [Threes-1:0][1:0] three_q;

  assign padded = (3 * Threes)'(bits_i);
  for (genvar t = 0; t < int'(Threes); t++) begin : gen_three
    logic a, b, c;
    assign {a, b, c} = padded[3*t +: 3];
    always_ff @(posedge clk_i) three_q[t] <= {(a & b) | (a & c) | (b & c), a ^ b ^ c};
  end

  if (Terms > 3) begin : gen_nines
    logic [Nines-1:0][3:0] nine_q;
    for (genvar n = 0; n < int'(Nines); n++) begin : gen_nine
      logic [1:0] x, y, z, ones, twos;  // {carry, sum} of the low and of the high bits
      assign x    = three_q[3*n];
      assign y    = three_q[3*n+1];
      assign z    = three_q[3*n+2];
      assign ones = {(x[0] & y[0]) | (x[0] & z[0]) | (y[0] & z[0]), x[0] ^ y[0] ^ z[0]};
      assign twos = {(x[1] & y[1]) | (x[1] & z[1]) | (y[1] & z[1]), x[1] ^ y[1] ^ z[1]};
      always_ff @(posedge clk_i) begin
        nine_q[n] <= {twos[1] & twos[0] & ones[1], twos[1] ^ (twos[0] & ones[1]), twos[0] ^ ones[1], ones[0]};
      end
    end
    dfc_adder_tree #(.Terms(Nines), .Bits(4), .Signed(0), .SumBits(CountBits)) u_tree (
      .clk_i, .terms_i(nine_q), .sum_o(count_o)
    );
  end else begin : gen_one
    assign count_o = CountBits'(three_q[0]);
  end
endmodule
