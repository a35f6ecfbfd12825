// The parts of a program that the loopback engine reads one after the other: all of it, or from a REPEAT on its turns and then the rest.
// What was asked for behind the REPEAT is dropped first; from then on the next part is asked for as soon as the one before is.
`include "dfc_lb_descriptor.svh"
module dfc_lb_repeat #(
  parameter int unsigned RepeatBits = 0,
  parameter int unsigned BusBits    = 64
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic             start_i,
  input  logic [31:0]      address_i,
  input  logic [23:0]      beats_i,
  input  logic             pop_i,       // a bus word is taken
  input  logic             full_i,      // bits_i is a whole descriptor
  input  logic             taken_i,
  input  logic [639:0]     bits_i,
  output logic             is_repeat_o, // it is a REPEAT, taken in this cycle
  output logic             moves_o,     // it is of a turn
  output dfc_lb_compute_t  moved_o,     // the descriptor of this turn
  output logic             drop_o,
  input  logic             dropped_i,
  output logic             more_o,      // another part will be asked for
  input  logic             idle_i,
  output logic             start_o,
  output logic [31:0]      address_o,
  output logic [23:0]      beats_o
);
  if (RepeatBits == 0) begin : gen_plain
    assign {is_repeat_o, moves_o, drop_o, more_o} = '0;
    assign moved_o   = bits_i;
    assign start_o   = start_i;
    assign address_o = address_i;
    assign beats_o   = beats_i;
    logic unused_repeat;
    assign unused_repeat = ^{clk_i, rst_ni, clear_i, pop_i, full_i, taken_i, dropped_i, idle_i};
  end else begin : gen_repeat
    localparam int unsigned Shift = $clog2(BusBits / 8);

    dfc_lb_transfer_t descriptor;
    dfc_lb_compute_t  tile;
    assign descriptor = bits_i[127:0];
    assign tile       = bits_i;

    logic                  drop_q, last_q;   // last_q: the part under way, or the next one, is the last
    logic [31:0]           at_q, body_q;     // the next bus word behind all parts so far; the first of a turn
    logic [23:0]           left_q;           // bus words from at_q on
    logic [23:0]           length_q, taken_q;  // of a turn, and of this one that are taken
    logic [RepeatBits-1:0] asks_q, turns_q, turn_q;  // turns to ask for; turns to take; the number of this one
    logic                  fits;
    assign fits        = descriptor.opcode == 4'(`DFC_LB_OPCODE_REPEAT) && turns_q == '0 && descriptor.beats != '0
        && descriptor.beats <= left_q && descriptor.inner != '0 && 25'(descriptor.inner) < (25'd1 << RepeatBits);
    assign is_repeat_o = full_i && fits && !drop_q;
    assign moves_o     = turns_q != '0;
    assign drop_o      = drop_q;
    assign more_o      = is_repeat_o || drop_q || asks_q != '0 || !last_q;
    assign start_o     = start_i || (drop_q ? dropped_i : idle_i && (asks_q != '0 || !last_q));
    assign address_o   = start_i ? address_i : asks_q != '0 ? body_q : at_q;
    assign beats_o     = start_i ? beats_i : asks_q != '0 ? length_q : left_q;

    logic [23:0] further_src, further_dst;
    assign further_src = 24'(tile.src_w * 24'(turn_q));
    assign further_dst = 24'(tile.dst_w * 24'(turn_q));
    always_comb begin
      moved_o = tile;
      if (tile.width_out == 12'd1) begin
        moved_o.src = tile.src + further_src;
        moved_o.dst = tile.dst + further_dst;
      end
    end

    always_ff @(posedge clk_i) begin
      if (start_i) begin
        {at_q, left_q} <= {address_i, beats_i};
      end else if (is_repeat_o) begin
        body_q   <= at_q;
        length_q <= descriptor.beats;
        at_q     <= at_q + (32'(descriptor.beats) << Shift);
        left_q   <= left_q - descriptor.beats;
      end else if (pop_i && turns_q == '0) begin
        at_q   <= at_q + 32'(BusBits / 8);
        left_q <= left_q - 24'd1;
      end
      if (!rst_ni || clear_i) begin
        {drop_q, asks_q, turns_q, turn_q, taken_q} <= '0;
        last_q <= 1'b1;
      end else if (is_repeat_o) begin
        drop_q  <= 1'b1;
        last_q  <= 1'b0;
        asks_q  <= descriptor.inner[RepeatBits-1:0];
        turns_q <= descriptor.inner[RepeatBits-1:0];
        {turn_q, taken_q} <= '0;
      end else begin
        if (dropped_i) drop_q <= 1'b0;
        if (start_o && asks_q != '0) asks_q <= asks_q - 1'b1;
        else if (start_o) last_q <= 1'b1;
        if (pop_i && turns_q != '0) taken_q <= taken_q + 24'd1;
        else if (taken_i && taken_q == length_q && turns_q != '0) begin
          turns_q <= turns_q - 1'b1;
          turn_q  <= turns_q == RepeatBits'(1) ? '0 : turn_q + 1'b1;
          taken_q <= '0;
        end
      end
    end
    logic unused_fields;
    assign unused_fields = ^{descriptor.waits, descriptor.signals, descriptor.target, descriptor.address, descriptor.coded, descriptor.words, descriptor.unused_bits};
  end
endmodule
