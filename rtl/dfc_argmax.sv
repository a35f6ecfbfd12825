// Index of the largest of Channels elements, Pe of them a beat; of equal ones the first, or the last.
// Latency 1 from the last beat of a position; interval Positions * Channels / Pe cycles.
`include "dfc_assert.svh"
module dfc_argmax #(
  parameter int unsigned Positions = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Channels = 10,
  parameter int unsigned Pe = 1,
  parameter int unsigned InBits = 8,
  parameter int unsigned InSigned = 1,
  parameter int unsigned OutBits = 4,
  parameter int unsigned SelectLast = 0
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic [Pe*InBits-1:0] in_data_i,
  input  logic                 in_valid_i,
  output logic                 in_ready_o,
  output logic [OutBits-1:0]   out_data_o,
  output logic                 out_valid_o,
  input  logic                 out_ready_i
);
  if (Positions < 1 || Pe < 1 || Channels % Pe != 0) begin : gen_check
    $fatal(1, "dfc_argmax: Pe must divide Channels");
  end
  if (OutBits < 31 && Channels > (32'd1 << OutBits)) begin : gen_check_bits
    $fatal(1, "dfc_argmax: OutBits must hold the largest index");
  end

  localparam int unsigned Folds = Channels / Pe;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned Slots = Folds > 1 ? 1 : 2;
  typedef logic [InBits-1:0]  value_t;
  typedef logic [OutBits-1:0] index_t;

  // a wins over b, which comes later; offset binary makes signed numbers comparable
  function automatic logic wins(value_t a, value_t b);
    return SelectLast != 0 ? a > b : a >= b;
  endfunction

  logic [FoldBits-1:0] fold_q;
  index_t base_q;  // index of lane 0
  logic   step, credit, last;
  assign last       = fold_q == FoldBits'(Folds - 1);
  assign in_ready_o = credit || !last;
  assign step       = in_valid_i && in_ready_o;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fold_q <= '0;
      base_q <= '0;
    end else if (step) begin
      fold_q <= last ? '0 : fold_q + 1'b1;
      base_q <= last ? '0 : base_q + index_t'(Pe);
    end
  end

  // The best lane of the beat: a tree in place, lane 0 at the root.
  value_t value [Pe];
  index_t lane  [Pe];
  always_comb begin
    for (int unsigned i = 0; i < Pe; i++) begin
      value[i] = in_data_i[i*InBits+:InBits];
      if (InSigned != 0) value[i][InBits-1] = !value[i][InBits-1];
      lane[i] = index_t'(i);
    end
    for (int unsigned stride = 1; stride < Pe; stride *= 2) begin
      for (int unsigned i = 0; i + stride < Pe; i += 2 * stride) begin
        if (!wins(value[i], value[i+stride])) begin
          value[i] = value[i+stride];
          lane[i]  = lane[i+stride];
        end
      end
    end
  end

  value_t best_q;
  index_t best_index_q, found;
  logic   keep;
  assign keep  = fold_q != '0 && wins(best_q, value[0]);
  assign found = keep ? best_index_q : base_q + lane[0];
  always_ff @(posedge clk_i) begin
    if (step) begin
      best_q       <= keep ? best_q : value[0];
      best_index_q <= found;
    end
  end

  dfc_stream_out #(.Width(OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step && last), .credit_o(credit), .push_i(step && last), .data_i(found),
    .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
