// Reads the program of the loopback engine ahead and puts its descriptors together, one bus word a cycle.
// A complete descriptor is offered the cycle after its last bus word; the next word is taken the cycle after it is accepted.
// A REPEAT ends here: dfc_lb_repeat says what is read next. Within its turns descriptors are moved on first, a cycle each.
`include "dfc_lb_descriptor.svh"
module dfc_lb_fetch #(
  parameter int unsigned RepeatBits = 0,
  parameter int unsigned BusBits    = 64
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  input  logic               start_i,
  input  logic [31:0]        address_i,
  input  logic [23:0]        beats_i,
  output logic               valid_o,
  input  logic               ready_i,
  output logic [639:0]       bits_o,
  output logic               ended_o,  // the program is read to its end
  output logic               quiet_o,  // no read is under way
  output logic               fault_o,
  output logic               ar_valid_o,
  input  logic               ar_ready_i,
  output logic [31:0]        ar_addr_o,
  output logic [7:0]         ar_len_o,
  input  logic               r_valid_i,
  output logic               r_ready_o,
  input  logic [BusBits-1:0] r_data_i,
  input  logic [1:0]         r_resp_i
);
  localparam int unsigned Ahead = 64;  // bus words held or under way
  localparam int unsigned Long  = 640 / BusBits;
  localparam int unsigned Short = 128 / BusBits;

  logic       burst_valid, idle, room, pop, word_valid, burst_start, drop, dropped, more, moves;
  logic [31:0] burst_address;
  logic [23:0] burst_beats;
  logic [7:0] reserved_q;  // words requested and not yet taken
  logic [7:0] waiting_q;   // words requested and not yet arrived
  assign room       = reserved_q <= 8'(Ahead - 16);
  assign ar_valid_o = burst_valid && room;
  assign quiet_o    = waiting_q == '0 && !ar_valid_o;
  assign fault_o    = r_valid_i && r_resp_i != '0;

  // What is dropped: a request that is offered stays until it is taken, and its words come.
  assign dropped = drop && idle && waiting_q == '0;
  dfc_lb_burst #(.BusBits(BusBits)) u_burst (
    .clk_i, .rst_ni, .clear_i(drop && !idle && (!ar_valid_o || ar_ready_i)), .start_i(burst_start), .address_i(burst_address),
    .beats_i(burst_beats), .idle_o(idle), .valid_o(burst_valid), .ready_i(ar_ready_i && room), .address_o(ar_addr_o), .len_o(ar_len_o)
  );

  logic               room_in;
  logic [BusBits-1:0] word;
  assign r_ready_o = 1'b1;
  dfc_lb_queue #(.Width(BusBits), .Depth(Ahead)) u_words (
    .clk_i, .rst_ni, .clear_i(clear_i || dropped), .in_valid_i(r_valid_i), .in_ready_o(room_in), .in_data_i(r_data_i),
    .out_valid_o(word_valid), .out_ready_i(pop), .out_data_o(word)
  );

  logic [4:0]                  count_q;
  logic [Long-1:0][BusBits-1:0] bits_q;
  logic                        is_long, full, is_repeat, moved_q;
  logic [4:0]                  needed;
  dfc_lb_compute_t             moved;
  assign is_long = bits_q[0][3:0] == 4'(`DFC_LB_OPCODE_COMPUTE);
  assign needed  = is_long ? 5'(Long) : 5'(Short);
  assign full    = count_q != '0 && count_q == needed;
  assign valid_o = full && !is_repeat && (!moves || moved_q);
  assign pop     = word_valid && !full && !drop;
  assign bits_o  = bits_q;
  assign ended_o = idle && reserved_q == '0 && !full && !more;

  dfc_lb_repeat #(.RepeatBits(RepeatBits), .BusBits(BusBits)) u_repeat (
    .clk_i, .rst_ni, .clear_i, .start_i, .address_i, .beats_i, .pop_i(pop), .full_i(full), .taken_i(valid_o && ready_i), .bits_i(bits_q),
    .is_repeat_o(is_repeat), .moves_o(moves), .moved_o(moved), .drop_o(drop), .dropped_i(dropped), .more_o(more),
    .idle_i(idle), .start_o(burst_start), .address_o(burst_address), .beats_o(burst_beats)
  );

  always_ff @(posedge clk_i) begin
    if (pop) bits_q[count_q[$clog2(Long)-1:0]] <= word;
    else if (full && moves && !moved_q && is_long) bits_q <= moved;
    if (!rst_ni || clear_i) begin
      {count_q, reserved_q, waiting_q, moved_q} <= '0;
    end else begin
      moved_q <= full && moves && !(valid_o && ready_i);
      if (pop) count_q <= count_q + 5'd1;
      else if (is_repeat || (valid_o && ready_i)) count_q <= '0;
      reserved_q <= dropped ? '0 : reserved_q + ((ar_valid_o && ar_ready_i) ? ar_len_o + 8'd1 : 8'd0) - 8'(pop);
      waiting_q  <= waiting_q + ((ar_valid_o && ar_ready_i) ? ar_len_o + 8'd1 : 8'd0) - 8'(r_valid_i);
    end
  end
  logic unused_room;
  assign unused_room = room_in;  // words are requested only where there is room
endmodule
