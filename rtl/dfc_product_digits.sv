// Product of two signed numbers in LUTs and carry chains, Stages cycles later, one a cycle: no tool sees one to put into a DSP slice.
// Two bits of the factor choose 0, 1, 2 or 3 times the number, the upper two 0, 1, -2 or -1 times, and a binary tree adds what was chosen.
// The steps, multiples and then level by level of the tree, are parted by registers as evenly as they can be, the last having one.
module dfc_product_digits #(
  parameter int unsigned ABits  = 8,
  parameter int unsigned FBits  = 8,
  parameter int unsigned Stages = 1
) (
  input  logic                   clk_i,
  input  logic [ABits-1:0]       a_i,
  input  logic [FBits-1:0]       f_i,
  output logic [ABits+FBits-1:0] product_o
);
  localparam int unsigned Digits = (FBits + 1) / 2;
  localparam int unsigned Levels = $clog2(Digits);
  localparam int unsigned Steps  = 1 + Levels;

  if (ABits < 1 || FBits < 1 || Stages < 1 || Stages > Steps) begin : gen_check
    $fatal(1, "dfc_product_digits: no more stages than multiples and levels");
  end

  // The stage in which a step is done; a step has a register where the next one is in another.
  function automatic int unsigned stage_of(int unsigned s);
    return ((s + 1) * Stages + Steps - 1) / Steps - 1;
  endfunction

  localparam bit Early = Levels == 0 ? 1'b0 : stage_of(1) > stage_of(0);  // multiples are registered
  logic signed [ABits+1:0] once, thrice, less, once_d, thrice_d, less_d;
  logic [2*Digits-1:0] digits, digits_d;
  assign once   = (ABits+2)'(signed'(a_i));
  assign thrice = once + (once <<< 1);
  assign less   = -once;
  assign digits = (2*Digits)'(signed'(f_i));
  if (Early) begin : gen_multiples
    always_ff @(posedge clk_i) {once_d, thrice_d, less_d, digits_d} <= {once, thrice, less, digits};
  end else begin : gen_multiples
    assign {once_d, thrice_d, less_d, digits_d} = {once, thrice, less, digits};
  end

  // Node k of level l stands for bits of the factor from k * 2**(l+1) on, and has as many more than the number.
  for (genvar l = 0; l <= int'(Levels); l++) begin : gen_level
    localparam int unsigned Span  = 2 << l;
    localparam int unsigned Nodes = (FBits + Span - 1) / Span;
    localparam bit Kept = (l == int'(Levels)) || (l > 0 && stage_of(l + 1) > stage_of(l));
    for (genvar k = 0; k < int'(Nodes); k++) begin : gen_node
      localparam int unsigned Own   = (FBits < (k + 1) * Span) ? FBits - k * Span : Span;
      localparam int unsigned Width = ABits + Own;
      logic [Width-1:0] found, value;
      if (l == 0) begin : gen_choice
        localparam bit Top = k == int'(Nodes) - 1;
        always_comb begin
          case (digits_d[2*k +: 2])
            2'd0:    found = '0;
            2'd1:    found = Width'(once_d);
            2'd2:    found = Top ? Width'(less_d <<< 1) : Width'(once_d <<< 1);
            default: found = Top ? Width'(less_d) : Width'(thrice_d);
          endcase
        end
      end else if (Own > Span / 2) begin : gen_sum
        localparam int unsigned Half = Span / 2;
        logic [ABits+Half-1:0] low;
        logic [Width-Half-1:0] high;
        assign low   = gen_level[l-1].gen_node[2*k].value;
        assign high  = gen_level[l-1].gen_node[2*k+1].value;
        assign found = {(Width-Half)'(signed'(low[ABits+Half-1:Half])) + high, low[Half-1:0]};
      end else begin : gen_alone
        assign found = gen_level[l-1].gen_node[2*k].value;
      end
      if (Kept) begin : gen_register
        always_ff @(posedge clk_i) value <= found;
      end else begin : gen_wire
        assign value = found;
      end
    end
  end
  assign product_o = gen_level[Levels].gen_node[0].value;
  logic unused;
  assign unused = ^thrice_d;
endmodule
