// Table lookup on a stream: each element becomes the entry of its channel's table at its bit pattern, Pe channels a beat.
// Latency 3 cycles, one beat a cycle. Each lane has its own copy of its channels' tables.
`include "dfc_assert.svh"
module dfc_lookup #(
  parameter int unsigned Vectors    = 1,
  parameter int unsigned Channels   = 4,
  parameter int unsigned Pe         = 2,
  parameter int unsigned InBits     = 4,
  parameter int unsigned OutBits    = 4,
  parameter int unsigned Shared     = 0,  // one table for all channels
  parameter int unsigned TableStyle = 0,
  parameter int unsigned Slots      = 4,
  parameter              TableFile  = ""
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [Pe*InBits-1:0]  in_data_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  output logic [Pe*OutBits-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                  out_ready_i
);
  localparam int unsigned Folds     = (Shared != 0) ? 1 : (Channels + Pe - 1) / Pe;
  localparam int unsigned FoldBits  = (Folds > 1) ? $clog2(Folds) : 1;
  localparam int unsigned Depth     = Folds << InBits;  // entries of a lane; the file holds lane after lane
  localparam int unsigned AddrBits  = $clog2(Depth);

  if (Vectors < 1 || Pe < 1 || Pe > Channels) begin : gen_check
    $fatal(1, "dfc_lookup: Pe must be 1 to Channels and Vectors be at least 1");
  end

  logic step;
  logic [1:0] step_q;
  logic [Pe*InBits-1:0]  data_q;
  logic [Pe*OutBits-1:0] entries;
  logic [FoldBits-1:0]   fold_q;  // of the beat in data_q

  assign step = in_valid_i && in_ready_o;
  always_ff @(posedge clk_i) step_q <= rst_ni ? {step_q[0], step} : '0;
  always_ff @(posedge clk_i) data_q <= in_data_i;

  if (Folds > 1) begin : gen_fold
    logic last;
    dfc_counter #(.Count(Folds)) u_fold (.clk_i, .rst_ni, .step_i(step_q[0]), .value_o(fold_q), .last_o(last));
    logic unused;
    assign unused = last;
  end else begin : gen_fold
    assign fold_q = '0;
  end

  for (genvar p = 0; p < int'(Pe); p++) begin : gen_lane
    dfc_rom #(
      .File(TableFile), .FileDepth((Shared != 0) ? Depth : Pe * Depth), .Width(OutBits),
      .Base((Shared != 0) ? 0 : p * Depth), .Depth(Depth), .Style(TableStyle)
    ) u_table (
      .clk_i, .en_i(1'b1), .addr_i(AddrBits'({fold_q, data_q[p*InBits +: InBits]})), .data_o(entries[p*OutBits +: OutBits])
    );
  end

  dfc_stream_out #(.Width(Pe * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(in_ready_o), .push_i(step_q[1]), .data_i(entries), .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
