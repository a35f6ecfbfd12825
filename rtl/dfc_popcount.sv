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
  localparam int unsigned Threes = (Terms + 2) / 3;

  if (Terms < 1) begin : gen_check
    $fatal(1, "dfc_popcount: Terms must be at least 1");
  end

  // Threes and nines are taken a third of the vector apart, so that each step works on whole vectors.
  localparam logic [Terms-1:0] FullThrees = ~({Terms{1'b1}} << (Terms / 3));
  function automatic logic [Threes-1:0] third_of_bits(logic [Terms-1:0] v, int unsigned k);
    return Threes'(((v >> (k * (Terms / 3))) & FullThrees) | (((v >> (Terms / 3 * 3 + k)) & Terms'(1)) << (Terms / 3)));
  endfunction

  logic [Threes-1:0] a, b, c, sum_q, carry_q;
  assign a = third_of_bits(bits_i, 0);
  assign b = third_of_bits(bits_i, 1);
  assign c = third_of_bits(bits_i, 2);
  always_ff @(posedge clk_i) begin
    sum_q   <= a ^ b ^ c;
    carry_q <= (a & b) | (a & c) | (b & c);
  end

  if (Terms > 3) begin : gen_nines
    localparam logic [Threes-1:0] FullNines = ~({Threes{1'b1}} << (Threes / 3));
    function automatic logic [Nines-1:0] third_of_threes(logic [Threes-1:0] v, int unsigned k);
      return Nines'(((v >> (k * (Threes / 3))) & FullNines) | (((v >> (Threes / 3 * 3 + k)) & Threes'(1)) << (Threes / 3)));
    endfunction

    logic [Nines-1:0] x0, y0, z0, x1, y1, z1, ones0, ones1, twos0, twos1;  // ones: of the sums, twos: of the carries
    logic [3:0][Nines-1:0] nine_q;  // bit by bit
    logic [Nines-1:0][3:0] nine;

    assign x0 = third_of_threes(sum_q, 0);
    assign y0 = third_of_threes(sum_q, 1);
    assign z0 = third_of_threes(sum_q, 2);
    assign x1 = third_of_threes(carry_q, 0);
    assign y1 = third_of_threes(carry_q, 1);
    assign z1 = third_of_threes(carry_q, 2);
    assign ones0 = x0 ^ y0 ^ z0;
    assign ones1 = (x0 & y0) | (x0 & z0) | (y0 & z0);
    assign twos0 = x1 ^ y1 ^ z1;
    assign twos1 = (x1 & y1) | (x1 & z1) | (y1 & z1);
    always_ff @(posedge clk_i) begin
      nine_q[0] <= ones0;
      nine_q[1] <= twos0 ^ ones1;
      nine_q[2] <= twos1 ^ (twos0 & ones1);
      nine_q[3] <= twos1 & twos0 & ones1;
    end
    for (genvar n = 0; n < int'(Nines); n++) begin : gen_nine
      assign nine[n] = {nine_q[3][n], nine_q[2][n], nine_q[1][n], nine_q[0][n]};
    end
    dfc_adder_tree #(.Terms(Nines), .Bits(4), .Signed(0), .SumBits(CountBits)) u_tree (
      .clk_i, .terms_i(nine), .sum_o(count_o)
    );
  end else begin : gen_one
    assign count_o = CountBits'({carry_q, sum_q});
  end
endmodule
