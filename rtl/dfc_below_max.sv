// How far each element is below the largest of its row of Channels, at most Limit. Rows are kept until their largest is known.
// Interval Beats cycles a row; latency from a row's last beat to its first result: $clog2(Lanes) + 4 cycles.
`include "dfc_assert.svh"
module dfc_below_max #(
  parameter int unsigned Channels  = 8,
  parameter int unsigned Lanes     = 2,
  parameter int unsigned InBits    = 4,
  parameter int unsigned InSigned  = 1,
  parameter int unsigned Limit     = 15,
  parameter int unsigned OutBits   = 4,
  parameter int unsigned RamStyle  = 0,
  parameter int unsigned Slots     = 3,
  parameter int unsigned Pages     = 3
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
  localparam int unsigned Beats  = (Channels + Lanes - 1) / Lanes;
  localparam int unsigned Tail   = Channels - (Beats - 1) * Lanes;
  localparam int unsigned Levels = $clog2(Lanes);
  localparam int unsigned Wide   = InBits + 1;  // a difference, and every code as a signed number

  if (Lanes < 1 || Lanes > Channels || OutBits < $clog2(Limit + 1)) begin : gen_check
    $fatal(1, "dfc_below_max: Lanes must be 1 to Channels, and OutBits hold Limit");
  end

  function automatic logic signed [Wide-1:0] widened(input logic [InBits-1:0] code);
    return (InSigned != 0) ? Wide'(signed'(code)) : signed'({1'b0, code});
  endfunction

  logic take, last, made_q;
  logic signed [Wide-1:0] largest_q;
  // The largest of a beat: a tree with a register after each comparison.
  logic [Levels:0] take_q, last_q;
  assign take_q[0] = take;
  assign last_q[0] = last;
  for (genvar l = 0; l <= int'(Levels); l++) begin : gen_level
    localparam int unsigned Nodes = (Lanes + (1 << l) - 1) >> l;
    logic [Nodes-1:0][Wide-1:0] node;
    if (l == 0) begin : gen_leaves
      for (genvar k = 0; k < int'(Nodes); k++) begin : gen_leaf
        if (k < int'(Tail)) begin : gen_always
          assign node[k] = widened(in_data_i[k*InBits +: InBits]);
        end else begin : gen_padded
          assign node[k] = last ? {1'b1, {InBits{1'b0}}} : widened(in_data_i[k*InBits +: InBits]);
        end
      end
    end else begin : gen_pairs
      localparam int unsigned Below = (2 * Lanes + (1 << l) - 1) >> l;
      for (genvar k = 0; k < int'(Nodes); k++) begin : gen_node
        logic signed [Wide-1:0] a, b;
        assign a = gen_level[l-1].node[2*k];
        if (2 * k + 1 < int'(Below)) begin : gen_pair
          assign b = gen_level[l-1].node[2*k+1];
        end else begin : gen_odd
          assign b = gen_level[l-1].node[2*k];
        end
        always_ff @(posedge clk_i) node[k] <= (a > b) ? a : b;
      end
      always_ff @(posedge clk_i) begin
        take_q[l] <= rst_ni && take_q[l-1];
        last_q[l] <= last_q[l-1];
      end
    end
  end
  logic signed [Wide-1:0] best, partial_q, total;
  logic first_q;
  assign best  = gen_level[Levels].node[0];
  assign total = (!first_q && partial_q > best) ? partial_q : best;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q <= 1'b1;
      made_q  <= 1'b0;
    end else begin
      if (take_q[Levels]) first_q <= last_q[Levels];
      made_q <= take_q[Levels] && last_q[Levels];
    end
  end
  always_ff @(posedge clk_i) if (take_q[Levels]) partial_q <= total;
  assign largest_q = partial_q;

  logic step, ready, credit, push_q;
  logic [Lanes*InBits-1:0] beat;
  logic [Wide-1:0] largest;
  assign step = ready && credit;
  dfc_row_buffer #(.Width(Lanes * InBits), .ResultWidth(Wide), .Beats(Beats), .Pages(Pages), .Style(RamStyle)) u_rows (
    .clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o, .take_o(take), .last_o(last), .result_valid_i(made_q), .result_i(largest_q),
    .ready_o(ready), .step_i(step), .beat_o(beat), .result_o(largest)
  );

  logic [Lanes*OutBits-1:0] results;
  for (genvar i = 0; i < int'(Lanes); i++) begin : gen_result
    logic [Wide-1:0] below;
    assign below = largest - widened(beat[i*InBits +: InBits]);
    assign results[i*OutBits +: OutBits] = (below > Wide'(Limit)) ? OutBits'(Limit) : OutBits'(below);
  end
  always_ff @(posedge clk_i) push_q <= rst_ni && step;
  dfc_stream_out #(.Width(Lanes * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(push_q), .data_i(results), .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
