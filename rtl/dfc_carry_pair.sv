// Two terms gated and added by one row of LUTs on a carry chain, the second one Apart places (0 or 1) above the first.
// A term is the input where the weight's bit is 1 (Xnor: the input or its complement), with its negative places complemented: all where it is
// Negated, and the sign of a signed input.
module dfc_carry_pair #(
  parameter int unsigned XBits    = 2,
  parameter int unsigned XSigned  = 0,
  parameter int unsigned Negated0 = 0,
  parameter int unsigned Negated1 = 0,
  parameter int unsigned Apart    = 0,
  parameter int unsigned Xnor     = 0,
  parameter int unsigned Block    = 4,  // places of a carry cell
  localparam int unsigned Places  = XBits + Apart
) (
  input  logic [XBits-1:0] x0_i,
  input  logic             w0_i,
  input  logic [XBits-1:0] x1_i,
  input  logic             w1_i,
  output logic [Places:0]  sum_o
);
  function automatic bit gated(bit x, bit w, bit minus, int unsigned place);
    return place < XBits && ((Xnor != 0) ? x == w : x && w) != (minus != (XSigned != 0 && place == XBits - 1));
  endfunction
  // LUT contents, {O6, O5}, of I0 to I3: input and weight of the first term, then of the second.
  function automatic logic [Places-1:0][63:0] inits();
    logic [Places-1:0][63:0] found = '0;
    bit u, v;
    for (int unsigned i = 0; i < Places; i++) begin
      for (int unsigned k = 0; k < 32; k++) begin
        u = gated(k[0], k[1], Negated0 != 0, i);
        v = gated(k[2], k[3], Negated1 != 0, i - Apart);
        found[i][k]      = (Places > 1) ? u : u && v;
        found[i][k + 32] = u != v;
      end
    end
    return found;
  endfunction

  logic [Places-1:0][4:0] terms;
  logic [Places:0] x0, x1;
  assign x0 = (Places + 1)'(x0_i);
  assign x1 = (Places + 1)'(x1_i) << Apart;
  for (genvar i = 0; i < int'(Places); i++) begin : gen_place
    assign terms[i] = {1'b0, w1_i, x1[i], w0_i, x0[i]};
  end
  dfc_carry_row #(.Bits(Places), .Block(Block), .Chain(32'(Places > 1)), .Inits(inits())) u_row (.in_i(terms), .above_i(1'b0), .sum_o);
  logic unused;
  assign unused = x0[Places] ^ x1[Places];
endmodule
