// Store queue of the loopback engine: writes blocks of the activation memory to external memory, one block at a time.
// One bus word a cycle; a block is complete when the memory has acknowledged its last burst.
`include "dfc_lb_descriptor.svh"
module dfc_lb_store #(
  parameter int unsigned Simd    = 16,
  parameter int unsigned ActBits = 8,
  parameter int unsigned BusBits = 64,
  localparam int unsigned Width  = ActBits * Simd
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  input  logic               valid_i,
  input  dfc_lb_transfer_t   descriptor_i,
  output logic               take_o,
  output logic               done_o,
  output logic [2:0]         signals_o,
  output logic               idle_o,
  output logic               fault_o,
  output logic               read_o,
  input  logic               read_ready_i,
  output logic [23:0]        read_addr_o,
  input  logic [Width-1:0]   read_data_i,
  output logic               aw_valid_o,
  input  logic               aw_ready_i,
  output logic [31:0]        aw_addr_o,
  output logic [7:0]         aw_len_o,
  output logic               w_valid_o,
  input  logic               w_ready_i,
  output logic [BusBits-1:0] w_data_o,
  output logic               w_last_o,
  input  logic               b_valid_i,
  output logic               b_ready_o,
  input  logic [1:0]         b_resp_i
);
  localparam int unsigned Beats    = Width / BusBits;
  localparam int unsigned BeatBits = Beats > 1 ? $clog2(Beats) : 1;

  logic        active_q, burst_idle, burst_valid, lens_room, lens_valid, words_room, words_valid, arrived_q;
  logic [2:0]  signals_q;
  logic [23:0] words_q, word_q;   // still to be read; address
  logic [2:0]  held_q;            // words asked for and not yet sent
  logic [23:0] open_q;            // bursts not yet acknowledged
  logic [7:0]  len, beat_of_burst_q;
  logic [BeatBits-1:0] beat_q;
  logic        send, word_sent, asked;
  assign take_o = valid_i && !active_q;
  assign idle_o = !active_q;

  dfc_lb_burst #(.BusBits(BusBits)) u_burst (
    .clk_i, .rst_ni, .clear_i, .start_i(take_o), .address_i(descriptor_i.address), .beats_i(descriptor_i.beats), .idle_o(burst_idle),
    .valid_o(burst_valid), .ready_i(aw_ready_i && lens_room), .address_o(aw_addr_o), .len_o(aw_len_o)
  );
  assign aw_valid_o = burst_valid && lens_room;
  dfc_lb_queue #(.Width(8), .Depth(4)) u_lens (
    .clk_i, .rst_ni, .clear_i, .in_valid_i(aw_valid_o && aw_ready_i), .in_ready_o(lens_room), .in_data_i(aw_len_o),
    .out_valid_o(lens_valid), .out_ready_i(send && w_last_o), .out_data_o(len)
  );

  logic [Width-1:0] word;
  assign read_o      = active_q && words_q != '0 && held_q < 3'd4;
  assign read_addr_o = word_q;
  assign asked       = read_o && read_ready_i;
  dfc_lb_queue #(.Width(Width), .Depth(4)) u_words (
    .clk_i, .rst_ni, .clear_i, .in_valid_i(arrived_q), .in_ready_o(words_room), .in_data_i(read_data_i),
    .out_valid_o(words_valid), .out_ready_i(word_sent), .out_data_o(word)
  );

  logic [Beats-1:0][BusBits-1:0] parts;
  assign parts     = word;
  assign w_valid_o = words_valid && lens_valid;
  assign w_data_o  = parts[beat_q];
  assign w_last_o  = beat_of_burst_q == len;
  assign send      = w_valid_o && w_ready_i;
  assign word_sent = send && beat_q == BeatBits'(Beats - 1);
  assign b_ready_o = 1'b1;
  assign fault_o   = b_valid_i && b_resp_i != '0;
  assign signals_o = signals_q;
  assign done_o    = active_q && burst_idle && open_q == '0;

  always_ff @(posedge clk_i) begin
    arrived_q <= asked;
    if (take_o) begin
      signals_q <= descriptor_i.signals;
      words_q   <= descriptor_i.words;
      word_q    <= descriptor_i.inner;
    end else if (asked) begin
      words_q <= words_q - 24'd1;
      word_q  <= word_q + 24'd1;
    end
    if (!rst_ni || clear_i) begin
      {active_q, arrived_q, held_q, open_q, beat_q, beat_of_burst_q} <= '0;
    end else begin
      if (take_o) active_q <= 1'b1;
      else if (done_o) active_q <= 1'b0;
      held_q <= held_q + 3'(asked) - 3'(word_sent);
      open_q <= open_q + 24'(aw_valid_o && aw_ready_i) - 24'(b_valid_i);
      if (send) begin
        beat_q          <= (beat_q == BeatBits'(Beats - 1)) ? '0 : beat_q + 1'b1;
        beat_of_burst_q <= w_last_o ? '0 : beat_of_burst_q + 8'd1;
      end
    end
  end
  logic unused_fields;
  assign unused_fields = ^{descriptor_i, words_room};
endmodule
