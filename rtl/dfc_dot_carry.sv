// Dot product of Simd inputs and weights on AMD's carry chains, with its accumulator, modulo 2**SumBits; other families have dfc_dot.
// A term is an input where a bit of its weight is 1. One row of LUTs gates and adds two terms. All bits that are negative (the sign of an
// input, the terms of the sign of a weight) are complemented: a term is unsigned then, and off by a constant. The Constants of all
// steps are what the sum starts with. Rows that add three numbers leave at most two, and the last row adds these to the sum.
// Latency to the last row: 1 + Levels (carry_levels of dfc_carry.svh) cycles; the sum follows in the cycle after. One step a cycle.
module dfc_dot_carry #(
  parameter int unsigned Simd         = 4,
  parameter int unsigned InBits       = 2,
  parameter int unsigned InSigned     = 0,
  parameter int unsigned InBipolar    = 0,  // the input bit means -1 or +1
  parameter int unsigned WeightBits   = 2,
  parameter int unsigned WeightSigned = 1,
  parameter int unsigned Xnor         = 0,  // the product is the input pattern, complemented where the weight bit is 0
  parameter int unsigned Block        = 4,  // places of a carry cell
  parameter int unsigned Levels       = 1,  // of rows that add three
  parameter int unsigned Start        = 0,  // see dfc_carry_total
  parameter int unsigned SumBits      = 10,
  parameter logic [SumBits-1:0] Constants = '0
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic [Simd*InBits-1:0]     inputs_i,
  input  logic [Simd*WeightBits-1:0] weights_i,
  input  logic                       step_i,   // the numbers at the last row are a step's
  input  logic                       first_i,  // a sum's first
  input  logic                       last_i,   // and last
  input  logic [2:0][SumBits-1:0]    start_i,  // words of the first fold, the next and this one
  output logic [SumBits-1:0]         sum_o
);
  localparam int unsigned XBits = (InBipolar != 0) ? 2 : InBits;
  localparam bit XSigned = InSigned != 0 || InBipolar != 0;
  localparam bit WSigned = WeightSigned != 0 && Xnor == 0;
  localparam int unsigned Terms = Simd * WeightBits;  // term t: element t % Simd, bit t / Simd of its weight
  localparam int unsigned Pairs = (Terms + 1) / 2;

  // Nodes of a level, and of one of them its first term.
  function automatic int unsigned nodes(int unsigned level);
    int unsigned n = Pairs;
    for (int unsigned l = 0; l < level; l++) n = (n + 2) / 3;
    return n;
  endfunction
  function automatic int unsigned first_term(int unsigned level, int unsigned n);
    int unsigned t = 2 * n;
    for (int unsigned l = 0; l < level; l++) t = 3 * t;
    return (t < Terms) ? t : Terms;
  endfunction

  // Of a node the lowest place that may be other than 0, and the place above the highest.
  function automatic int unsigned low(int unsigned level, int unsigned n);
    return first_term(level, n) / Simd;
  endfunction
  function automatic int unsigned high(int unsigned level, int unsigned n);
    longint unsigned most = 0;
    int unsigned from, to, places = 0;
    for (int unsigned j = 0; j < WeightBits; j++) begin
      from = first_term(level, n);
      to   = first_term(level, n + 1);
      if (from < j * Simd) from = j * Simd;
      if (to > (j + 1) * Simd) to = (j + 1) * Simd;
      if (to > from) most += 64'(to - from) * ((64'd1 << XBits) - 64'd1) << j;
    end
    while (places < SumBits && (most >> places) != 0) places++;
    return places;
  endfunction

  // The place above the last LUT in the row of a node: the highest place needs none where only a carry reaches it.
  function automatic int unsigned row_end(int unsigned level, int unsigned n);
    int unsigned under, top, most, next, own;
    under = (level > 0) ? level - 1 : 0;
    top  = high(level, n);
    most = 0;
    next = 0;
    for (int unsigned k = 3 * n; k < 3 * n + 3; k++) begin
      own = (k < nodes(under)) ? high(under, k) : 0;
      if (own > most) begin
        next = most;
        most = own;
      end else if (own > next) begin
        next = own;
      end
    end
    return (most < top && next + 1 < top) ? top - 1 : top;
  endfunction

  // Whether the terms of weight bit j are negative, and of such a term place i.
  function automatic bit negated(int unsigned j);
    return WSigned && j == WeightBits - 1;
  endfunction
  function automatic bit negative(int unsigned j, int unsigned i);
    return negated(j) != (XSigned && i == XBits - 1);
  endfunction
  // LUT contents, {O6, O5}, of a row that adds three.
  function automatic logic [63:0] three_init();
    logic [63:0] found = '0;
    for (int unsigned k = 0; k < 32; k++) begin
      found[k]      = (k[0] && k[1]) || (k[0] && k[2]) || (k[1] && k[2]);
      found[k + 32] = k[0] ^ k[1] ^ k[2] ^ k[3];
    end
    return found;
  endfunction

  logic [Simd-1:0][XBits-1:0] x;
  logic [WeightBits-1:0][Simd-1:0] w;
  for (genvar s = 0; s < int'(Simd); s++) begin : gen_element
    if (InBipolar != 0) begin : gen_bipolar
      assign x[s] = {~inputs_i[s], 1'b1};
    end else begin : gen_integer
      assign x[s] = inputs_i[s*InBits +: InBits];
    end
    for (genvar j = 0; j < int'(WeightBits); j++) begin : gen_bit
      assign w[j][s] = weights_i[s*WeightBits+j];
    end
  end

  for (genvar l = 0; l <= int'(Levels); l++) begin : gen_level
    localparam int unsigned Nodes = nodes(l);
    localparam int unsigned Under = (l > 0) ? l - 1 : 0;  // the level before
    logic [Nodes-1:0][SumBits-1:0] node, node_d;
    for (genvar n = 0; n < int'(Nodes); n++) begin : gen_node
      localparam int unsigned Low  = low(l, n);
      localparam int unsigned High = high(l, n);
      if (l == 0 && 2 * n + 1 == int'(Terms)) begin : gen_single
        logic [XBits-1:0] term;
        for (genvar i = 0; i < int'(XBits); i++) begin : gen_bit
          assign term[i] = ((Xnor != 0) ? x[Simd-1][i] ~^ w[WeightBits-1][Simd-1] : x[Simd-1][i] & w[WeightBits-1][Simd-1]) ^
                           negative(WeightBits - 1, i);
        end
        assign node_d[n] = SumBits'((SumBits + XBits)'(term) << Low);
      end else if (l == 0) begin : gen_pair
        localparam int unsigned A      = 2 * n;
        localparam int unsigned B      = 2 * n + 1;
        localparam int unsigned Apart  = B / Simd - A / Simd;
        localparam int unsigned Places = XBits + Apart;
        logic [Places:0] sum;
        dfc_carry_pair #(
          .XBits(XBits), .XSigned(32'(XSigned)), .Negated0(32'(negated(A / Simd))), .Negated1(32'(negated(B / Simd))),
          .Apart(Apart), .Xnor(Xnor), .Block(Block)
        ) u_pair (.x0_i(x[A%Simd]), .w0_i(w[A/Simd][A%Simd]), .x1_i(x[B%Simd]), .w1_i(w[B/Simd][B%Simd]), .sum_o(sum));
        assign node_d[n] = SumBits'((SumBits + Places + 1)'(sum) << Low);
      end else if (3 * n + 1 < int'(nodes(Under)) && row_end(l, n) > low(Under, 3 * n + 1)) begin : gen_three
        localparam int unsigned From   = low(Under, 3 * n + 1);
        localparam int unsigned Places = row_end(l, n) - From;
        logic [Places-1:0][4:0] terms;
        logic [Places:0] sum;
        logic [SumBits-1:0] c;
        if (3 * n + 2 < int'(nodes(Under))) begin : gen_third
          assign c = gen_level[Under].node[3*n+2];
        end else begin : gen_no_third
          assign c = '0;
        end
        for (genvar i = 0; i < int'(Places); i++) begin : gen_place
          assign terms[i] = {2'b00, c[From+i], gen_level[Under].node[3*n+1][From+i], gen_level[Under].node[3*n][From+i]};
        end
        dfc_carry_row #(
          .Bits(Places), .Block(Block), .Ternary(1), .Inits({Places{three_init()}})
        ) u_row (.in_i(terms), .above_i(1'b0), .sum_o(sum));
        assign node_d[n] = SumBits'((SumBits + Places + 1)'(sum) << From) | (gen_level[Under].node[3*n] & ~({SumBits{1'b1}} << From));
      end else begin : gen_pass
        assign node_d[n] = gen_level[Under].node[3*n];
      end
      if (High > Low) begin : gen_register
        logic [High-Low-1:0] number_q;
        always_ff @(posedge clk_i) number_q <= node_d[n][High-1:Low];
        assign node[n] = SumBits'(number_q) << Low;
      end else begin : gen_nothing
        assign node[n] = '0;
      end
      logic unused;
      assign unused = ^node_d[n];
    end
  end

  // The place above the highest that the two numbers reach.
  function automatic int unsigned reach();
    int unsigned most = 0;
    for (int unsigned n = 0; n < nodes(Levels); n++) if (high(Levels, n) > most) most = high(Levels, n);
    return most;
  endfunction

  dfc_carry_total #(.Bits(SumBits), .Reach(reach()), .Block(Block), .Start(Start), .Constants(Constants)) u_total (
    .clk_i, .rst_ni, .first_number_i(gen_level[Levels].node[0]),
    .second_number_i((nodes(Levels) > 1) ? gen_level[Levels].node[nodes(Levels)-1] : '0),
    .step_i, .first_i, .last_i, .start_i, .sum_o
  );

  if (Simd < 1 || nodes(Levels) > 2 || (Xnor != 0 && WeightBits != 1) || (InBipolar != 0 && InBits != 1)) begin : gen_check
    $fatal(1, "dfc_dot_carry: Levels must leave at most two numbers, Xnor wants WeightBits = 1 and InBipolar wants InBits = 1");
  end
endmodule
