// Dot product bit plane by bit plane: the ones among (bit i of x) & (bit j of w), or their XNOR, weighted by 2**(i + j).
// Latency that of dfc_popcount plus $clog2(XBits * WBits) cycles, one a cycle.
module dfc_dot_planes #(
  parameter int unsigned Simd    = 4,
  parameter int unsigned XBits   = 2,
  parameter int unsigned XSigned = 0,
  parameter int unsigned WBits   = 2,
  parameter int unsigned WSigned = 1,
  parameter int unsigned Xnor    = 0,
  parameter int unsigned SumBits = 10
) (
  input  logic                       clk_i,
  input  logic [Simd-1:0][XBits-1:0] x_i,
  input  logic [Simd-1:0][WBits-1:0] w_i,
  output logic [SumBits-1:0]         sum_o
);
  localparam int unsigned Planes    = XBits * WBits;
  localparam int unsigned Levels    = $clog2(Planes);
  localparam int unsigned CountBits = $clog2(Simd + 1);
  localparam int unsigned FullBits  = CountBits + XBits + WBits + 1;  // hold the sum with its sign
  localparam int unsigned Bits      = (FullBits < SumBits) ? FullBits : SumBits;

  // The sign of a node of the tree of planes: negative when all its planes are.
  function automatic bit is_negative(int unsigned level, int unsigned node);
    for (int unsigned p = node << level; p < ((node + 1) << level) && p < Planes; p++) begin
      if ((XSigned != 0 && p / WBits == XBits - 1) == (WSigned != 0 && p % WBits == WBits - 1)) return 1'b0;
    end
    return 1'b1;
  endfunction

  for (genvar l = 0; l <= int'(Levels); l++) begin : gen_level
    localparam int unsigned Nodes = (Planes + (1 << l) - 1) >> l;
    localparam int unsigned Below = (2 * Planes + (1 << l) - 1) >> l;  // nodes of the level before
    logic [Nodes-1:0][Bits-1:0] node;
    for (genvar k = 0; k < int'(Nodes); k++) begin : gen_node
      if (l == 0) begin : gen_plane
        localparam int unsigned I = k / WBits;
        localparam int unsigned J = k % WBits;
        logic [Simd-1:0] ones;
        logic [CountBits-1:0] count;
        for (genvar s = 0; s < int'(Simd); s++) begin : gen_one
          assign ones[s] = (Xnor != 0) ? x_i[s][I] ~^ w_i[s][J] : x_i[s][I] & w_i[s][J];
        end
        dfc_popcount #(.Terms(Simd)) u_popcount (.clk_i, .bits_i(ones), .count_o(count));
        assign node[k] = Bits'(FullBits'(count) << (I + J));
      end else if (2 * k + 1 < int'(Below)) begin : gen_pair
        logic [Bits-1:0] a, b;
        assign a = gen_level[l-1].node[2*k];
        assign b = gen_level[l-1].node[2*k+1];
        if (is_negative(l - 1, 2 * k) == is_negative(l - 1, 2 * k + 1)) begin : gen_add
          always_ff @(posedge clk_i) node[k] <= a + b;
        end else if (is_negative(l - 1, 2 * k)) begin : gen_b_minus_a
          always_ff @(posedge clk_i) node[k] <= b - a;
        end else begin : gen_a_minus_b
          always_ff @(posedge clk_i) node[k] <= a - b;
        end
      end else begin : gen_odd
        always_ff @(posedge clk_i) node[k] <= gen_level[l-1].node[2*k];
      end
    end
  end

  if (is_negative(Levels, 0)) begin : gen_negative
    assign sum_o = SumBits'(signed'(-gen_level[Levels].node[0]));
  end else begin : gen_positive
    assign sum_o = SumBits'(signed'(gen_level[Levels].node[0]));
  end
endmodule
