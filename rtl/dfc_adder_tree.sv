// Sum of Terms numbers of Bits bits, modulo 2**SumBits: a binary tree with a register after each adder.
// Latency $clog2(Terms) cycles, one sum a cycle.
module dfc_adder_tree #(
  parameter int unsigned Terms   = 4,
  parameter int unsigned Bits    = 4,
  parameter int unsigned Signed  = 0,
  parameter int unsigned SumBits = 6
) (
  input  logic                  clk_i,
  input  logic [Terms*Bits-1:0] terms_i,
  output logic [SumBits-1:0]    sum_o
);
  localparam int unsigned Levels = $clog2(Terms);

  if (Terms < 1 || Bits < 1) begin : gen_check
    $fatal(1, "dfc_adder_tree: Terms and Bits must be at least 1");
  end

  for (genvar l = 0; l <= int'(Levels); l++) begin : gen_level
    localparam int unsigned Nodes = (Terms + (1 << l) - 1) >> l;
    localparam int unsigned Width = (Bits + l < SumBits) ? Bits + l : SumBits;  // of a node
    logic [Nodes-1:0][Width-1:0] node;
    if (l == 0) begin : gen_leaves
      for (genvar k = 0; k < int'(Nodes); k++) begin : gen_leaf
        assign node[k] = Width'(terms_i[k*Bits +: Bits]);
      end
    end else begin : gen_adders
      localparam int unsigned Below = (2 * Terms + (1 << l) - 1) >> l;  // nodes of the level before
      localparam int unsigned Narrow = (Bits + l - 1 < SumBits) ? Bits + l - 1 : SumBits;
      for (genvar k = 0; k < int'(Nodes); k++) begin : gen_node
        logic [Narrow-1:0] a, b;
        assign a = gen_level[l-1].node[2*k];
        if (2 * k + 1 < int'(Below)) begin : gen_pair
          assign b = gen_level[l-1].node[2*k+1];
        end else begin : gen_odd
          assign b = '0;
        end
        if (Signed != 0) begin : gen_signed
          always_ff @(posedge clk_i) node[k] <= Width'(signed'(a)) + Width'(signed'(b));
        end else begin : gen_unsigned
          always_ff @(posedge clk_i) node[k] <= Width'(a) + Width'(b);
        end
      end
    end
  end

  if (Signed != 0) begin : gen_signed
    assign sum_o = SumBits'(signed'(gen_level[Levels].node));
  end else begin : gen_unsigned
    assign sum_o = SumBits'(gen_level[Levels].node);
  end
  if (Levels == 0) begin : gen_no_clock
    logic unused;
    assign unused = clk_i;
  end
endmodule
