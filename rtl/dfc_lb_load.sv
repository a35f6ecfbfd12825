// Load queue of the loopback engine: reads blocks from external memory into the activation, weight or threshold memory.
// Requests of the next block go out while the data of earlier ones arrive; one bus word a cycle.
`include "dfc_lb_descriptor.svh"
module dfc_lb_load #(
  parameter int unsigned Pe         = 4,
  parameter int unsigned Simd       = 16,
  parameter int unsigned WeightBits = 8,
  parameter int unsigned AccBits    = 32,
  parameter int unsigned CodeBits   = 0,
  parameter int unsigned ActBits    = 8,
  parameter int unsigned BusBits    = 64,
  localparam int unsigned MostBeats = Pe * Simd * WeightBits / BusBits,
  localparam int unsigned ActBeats  = ActBits * Simd / BusBits,
  localparam int unsigned TreeBeats = Pe * AccBits / BusBits,
  localparam int unsigned TableBeats = 128 / BusBits,
  localparam int unsigned BeatBits  = 12
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                clear_i,
  input  logic                valid_i,
  input  dfc_lb_transfer_t    descriptor_i,
  output logic                take_o,
  output logic                done_o,
  output logic [2:0]          signals_o,
  output logic                idle_o,
  output logic                fault_o,
  output logic                ar_valid_o,
  input  logic                ar_ready_i,
  output logic [31:0]         ar_addr_o,
  output logic [7:0]          ar_len_o,
  input  logic                r_valid_i,
  output logic                r_ready_o,
  input  logic [BusBits-1:0]  r_data_i,
  input  logic [1:0]          r_resp_i,
  output logic                act_o,
  input  logic                act_ready_i,
  output logic                weight_o,
  output logic                tree_o,
  output logic                list_o,
  output logic                levels_o,  // a bus word of the levels of weights
  output logic [1:0]          coded_o,   // of a bus word of weights
  output logic [23:0]         addr_o,
  output logic [BeatBits-1:0] beat_o,
  output logic [BusBits-1:0]  data_o
);
  typedef struct packed {
    logic [2:0]  signals;
    logic [1:0]  target;
    logic [1:0]  coded;
    logic [23:0] inner;
    logic [23:0] beats;
  } record_t;

  record_t record, next;
  logic    burst_idle, record_room, record_valid, beat;
  assign next   = '{signals: descriptor_i.signals, target: descriptor_i.target, coded: descriptor_i.coded, inner: descriptor_i.inner, beats: descriptor_i.beats};
  assign take_o = valid_i && burst_idle && record_room;
  assign idle_o = burst_idle && !record_valid;

  dfc_lb_burst #(.BusBits(BusBits)) u_burst (
    .clk_i, .rst_ni, .clear_i, .start_i(take_o), .address_i(descriptor_i.address), .beats_i(descriptor_i.beats), .idle_o(burst_idle),
    .valid_o(ar_valid_o), .ready_i(ar_ready_i), .address_o(ar_addr_o), .len_o(ar_len_o)
  );
  dfc_lb_queue #(.Width($bits(record_t)), .Depth(4)) u_records (
    .clk_i, .rst_ni, .clear_i, .in_valid_i(take_o), .in_ready_o(record_room), .in_data_i(next),
    .out_valid_o(record_valid), .out_ready_i(done_o), .out_data_o(record)
  );

  logic [23:0]         beats_q, word_q;
  logic [BeatBits-1:0] beat_q, beat_last;
  logic                last, levels;
  logic [BeatBits-1:0] coded_last [4];  // the last bus word of a word of weights
  assign coded_last[0] = BeatBits'(MostBeats - 1);
  for (genvar c = 1; c < 4; c++) begin : gen_coded
    localparam int unsigned Least = (Pe * Simd << (c - 1)) % BusBits == 0 ? (Pe * Simd << (c - 1)) / BusBits : 0;
    assign coded_last[c] = BeatBits'(CodeBits != 0 && Least != 0 ? Least - 1 : 0);
  end
  assign levels = CodeBits != 0 && record.coded != '0 && beats_q < 24'(TableBeats);
  always_comb begin
    unique case (record.target)
      2'(`DFC_LB_TARGET_WEIGHT): beat_last = coded_last[record.coded];
      2'(`DFC_LB_TARGET_LIST):   beat_last = '0;
      2'(`DFC_LB_TARGET_TREE):   beat_last = BeatBits'(TreeBeats - 1);
      default:                   beat_last = BeatBits'(ActBeats - 1);
    endcase
  end
  assign act_o     = r_valid_i && record_valid && record.target == 2'(`DFC_LB_TARGET_ACT);
  assign r_ready_o = record_valid && (record.target != 2'(`DFC_LB_TARGET_ACT) || act_ready_i);
  assign beat      = r_valid_i && r_ready_o;
  assign weight_o  = beat && record.target == 2'(`DFC_LB_TARGET_WEIGHT) && !levels;
  assign levels_o  = beat && levels;
  assign coded_o   = record.coded;
  assign list_o    = beat && record.target == 2'(`DFC_LB_TARGET_LIST);
  assign tree_o    = beat && record.target == 2'(`DFC_LB_TARGET_TREE);
  assign addr_o    = record.inner + word_q;
  assign beat_o    = beat_q;
  assign data_o    = r_data_i;
  assign last      = beats_q == record.beats - 24'd1;
  assign done_o    = beat && last;
  assign signals_o = record.signals;
  assign fault_o   = beat && r_resp_i != '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      {beats_q, word_q, beat_q} <= '0;
    end else if (beat) begin
      beats_q <= last ? '0 : beats_q + 24'd1;
      if (last || levels) {beat_q, word_q} <= '0;
      else begin
        beat_q <= (beat_q == beat_last) ? '0 : beat_q + BeatBits'(1);
        word_q <= word_q + 24'(beat_q == beat_last);
      end
    end
  end
  logic unused_fields;
  assign unused_fields = ^descriptor_i;
endmodule
