// The last row of dfc_dot_carry: adds two numbers to the sum, which starts with Constants, a place at a time in the LUTs' contents.
// With Start it starts with a word of its own, which holds the constants: the last step leaves the next sum's word in the places that the two
// numbers reach, whose LUTs are full, and the places above them choose theirs in front of the chain. Of sum_o the highest place counts then.
module dfc_carry_total #(
  parameter int unsigned Bits  = 10,  // of the sum
  parameter int unsigned Reach = 5,   // the place above the highest that the numbers have
  parameter int unsigned Block = 4,   // places of a carry cell
  parameter int unsigned Start = 0,
  parameter logic [Bits-1:0] Constants = '0
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic [Bits-1:0]      first_number_i,
  input  logic [Bits-1:0]      second_number_i,
  input  logic                 step_i,   // the numbers are a step's
  input  logic                 first_i,  // a sum's first
  input  logic                 last_i,   // and last
  input  logic [2:0][Bits-1:0] start_i,  // words of this sum, the next, and the first of all
  output logic [Bits-1:0]      sum_o
);
  localparam int unsigned Full  = (Start != 0 && Reach + 1 < Bits) ? Reach + 1 : Bits;  // places that add three numbers, or their majority
  localparam int unsigned Above = Bits - Full;
  localparam int unsigned Over  = (Above > 0) ? Above : 1;

  // LUT contents, {O6, O5}: where I4 is set and there is no Start a constant stands for I2, the sum.
  function automatic logic [Full-1:0][63:0] inits();
    logic [Full-1:0][63:0] found = '0;
    bit c;
    for (int unsigned i = 0; i < Full; i++) begin
      for (int unsigned k = 0; k < 32; k++) begin
        c = (Start == 0 && k[4]) ? Constants[i] : k[2];
        found[i][k]      = (k[0] && k[1]) || (k[0] && c) || (k[1] && c);
        found[i][k + 32] = k[0] ^ k[1] ^ c ^ k[3];
      end
    end
    return found;
  endfunction

  logic [Bits-1:0] sum_q;
  logic [Full-1:0][4:0] numbers;
  logic [Over-1:0] above;
  logic [Bits:0] sum;
  for (genvar i = 0; i < int'(Full); i++) begin : gen_place
    assign numbers[i] = {Start == 0 && first_i, 1'b0, sum_q[i], second_number_i[i], first_number_i[i]};
  end
  dfc_carry_row #(.Bits(Full), .Block(Block), .Ternary(1), .Above(Above), .Inits(inits())) u_row (.in_i(numbers), .above_i(above), .sum_o(sum));

  if (Start != 0) begin : gen_start
    always_ff @(posedge clk_i) begin
      if (!rst_ni)     sum_q[Full-1:0] <= start_i[2][Full-1:0];
      else if (step_i) sum_q[Full-1:0] <= last_i ? start_i[1][Full-1:0] : sum[Full-1:0];
    end
    if (Above > 0) begin : gen_above
      assign above = first_i ? start_i[0][Bits-1:Full] : sum_q[Bits-1:Full];
      always_ff @(posedge clk_i) if (step_i) sum_q[Bits-1:Full] <= sum[Bits-1:Full];
      assign sum_o = sum_q;
    end else begin : gen_no_above
      logic sign_q;
      always_ff @(posedge clk_i) if (step_i) sign_q <= sum[Bits-1];
      assign above = '0;
      assign sum_o = {sign_q, {(Bits-1){1'b0}}};
    end
    logic unused;
    assign unused = ^{first_i, start_i, Constants};
  end else begin : gen_constants
    assign above = '0;
    always_ff @(posedge clk_i) if (step_i) sum_q <= sum[Bits-1:0];
    assign sum_o = sum_q;
    logic unused;
    assign unused = ^{rst_ni, last_i, start_i};
  end
  logic unused;
  assign unused = ^{sum[Bits], first_number_i, second_number_i};
endmodule
