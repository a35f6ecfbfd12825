// Address generator of the loopback array: walks one compute descriptor, a step a cycle, without stalls.
// A tile with a list walks its steps in place of passes, taps and words.
// With ADD the taps of a pass follow one another, else the passes of a tap.
// Sums and extremes of up to Pixels outputs of a row are made together: pixel k reads k * src_w further.
// A descriptor is taken while idle or in the last cycle of the one before; its first step is the cycle after.
`include "dfc_lb_descriptor.svh"
`include "dfc_lb_types.svh"
module dfc_lb_walk #(
  parameter int unsigned WeightBits = 8,
  parameter int unsigned Pixels     = 1,
  parameter int unsigned BusBits    = 64
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            clear_i,
  input  logic            take_i,
  output logic            ready_o,
  input  dfc_lb_compute_t descriptor_i,
  output logic            list_read_o,
  output logic [23:0]     list_addr_o,  // of a step of a list; it comes in the next cycle
  input  logic [31:0]     entry_i,
  output logic            step_o,
  output logic [Pixels-1:0][23:0] address_o,
  output logic [Pixels-1:0]       present_o,  // the input word is inside the picture, and there is such an output
  output logic [19:0]     weight_o,
  output dfc_lb_step_t    info_o,  // `present` is that of pixel 0
  output dfc_lb_result_t  result_o
);
  localparam int unsigned WidthLog = $clog2(WeightBits);

  dfc_lb_compute_t d_q;
  logic            busy_q, waiting_q;
  logic [7:0]      wait_q;
  logic [7:0]      n_q, ky_q, kx_q;
  logic [11:0]     i_q, j_q, g_q;
  logic [1:0]      p_q;
  logic [15:0]     acc_word_q;
  logic [23:0]     src_n_q, src_i_q, src_j_q, tap_y_q, tap_x_q, word_q;  // word_q: word 0 of the tap in this pass
  logic [23:0]     dst_n_q, dst_i_q, dst_j_q;
  logic [13:0]     y_i_q, y_q, x_j_q, x_q;
  logic [19:0]     weight_q;

  localparam int unsigned PixelLog = $clog2(Pixels);
  logic several, inner, picks;  // pixels of a row are made together; the passes of a tap follow one another; the result is a position
  assign inner = d_q.op != 3'(`DFC_LB_ACC_OP_ADD);
  assign picks = d_q.op == 3'(`DFC_LB_ACC_OP_ARGMAX) || d_q.op == 3'(`DFC_LB_ACC_OP_ARGMAX_LAST);

  assign several = Pixels > 1 && !d_q.root && (!inner || d_q.op == 3'(`DFC_LB_ACC_OP_MAX) || d_q.op == 3'(`DFC_LB_ACC_OP_MIN));

  logic g_last, kx_last, ky_last, p_last, j_last, i_last, n_last, tap_last, row_last, taps_last, pass_last, output_last, all_last, over;
  assign g_last      = g_q == d_q.words - 12'd1;
  assign kx_last     = d_q.listed || kx_q == d_q.kernel_w - 8'd1;
  assign ky_last     = d_q.listed || ky_q == d_q.kernel_h - 8'd1;
  assign p_last      = d_q.listed || p_q == d_q.passes;
  assign j_last      = several ? 13'(j_q) + 13'(Pixels) >= 13'(d_q.width_out) : j_q == d_q.width_out - 12'd1;
  assign i_last      = i_q == d_q.height - 12'd1;
  assign n_last      = n_q == d_q.batch - 8'd1;
  assign tap_last    = g_last && (!inner || p_last);
  assign row_last    = tap_last && kx_last;
  assign taps_last   = row_last && ky_last;
  assign pass_last   = inner ? g_last : taps_last;
  assign output_last = taps_last && p_last;
  assign all_last    = j_last && i_last && n_last;
  // `over`: nothing of this descriptor is left after this cycle.
  assign over    = waiting_q ? (wait_q == 8'd1 && !busy_q) : (output_last && all_last && d_q.idle == '0);
  assign ready_o = (!busy_q && !waiting_q) || over;
  assign step_o  = busy_q && !waiting_q;

  // The first step of a list is read as its tile is taken, the next with each step.
  localparam int unsigned EachBits = $clog2(BusBits / 32);
  logic [17:0] entry_offset;
  logic [5:0]  entry_y, entry_x;
  logic [1:0]  entry_p;
  assign {entry_p, entry_x, entry_y, entry_offset} = entry_i;
  assign list_read_o = take_i || step_o;
  assign list_addr_o = ((take_i ? descriptor_i.tap_h : d_q.tap_h) << EachBits) + ((take_i || g_last) ? '0 : 24'(g_q) + 24'd1);

  logic [23:0] next_n, next_i, next_j, next_pass, next_tap, next_row;
  logic [13:0] next_y;
  assign next_n    = src_n_q + d_q.src_n;
  assign next_i    = i_last ? next_n : src_i_q + d_q.src_h;
  assign next_j    = j_last ? next_i : src_j_q + (several ? d_q.src_w << PixelLog : d_q.src_w);
  assign next_y    = !j_last ? y_i_q : (i_last ? d_q.y_first : y_i_q + 14'(d_q.y_step));
  assign next_pass = (inner ? tap_x_q : src_j_q) + ((p_q == 2'd0) ? d_q.offset_1 : (p_q == 2'd1) ? d_q.offset_2 : d_q.offset_3);
  assign next_tap  = tap_x_q + d_q.tap_w;
  assign next_row  = tap_y_q + d_q.tap_h;

  logic [23:0] next_dst_n, next_dst_i, next_dst_j;
  logic [13:0] next_x;
  assign next_dst_n = dst_n_q + d_q.dst_n;
  assign next_dst_i = i_last ? next_dst_n : dst_i_q + d_q.dst_h;
  assign next_dst_j = j_last ? next_dst_i : dst_j_q + (several ? d_q.dst_w << PixelLog : d_q.dst_w);
  assign next_x     = j_last ? d_q.x_first : x_j_q + (14'(d_q.x_step) << (several ? PixelLog : 0));

  always_ff @(posedge clk_i) begin
    if (take_i) begin
      d_q        <= descriptor_i;
      acc_word_q <= '0;
      {n_q, i_q, j_q, p_q, ky_q, kx_q, g_q} <= '0;
      {src_n_q, src_i_q, src_j_q, tap_y_q, tap_x_q, word_q} <= {6{descriptor_i.src}};
      {dst_n_q, dst_i_q, dst_j_q} <= {3{descriptor_i.dst}};
      {y_i_q, y_q} <= {2{descriptor_i.y_first}};
      {x_j_q, x_q} <= {2{descriptor_i.x_first}};
      weight_q   <= '0;
    end else if (step_o) begin
      weight_q <= (output_last || (pass_last && d_q.reset == 2'(`DFC_LB_WEIGHT_RESET_PASS))
                   || (g_last && d_q.reset == 2'(`DFC_LB_WEIGHT_RESET_TAP))
                   || (row_last && d_q.reset == 2'(`DFC_LB_WEIGHT_RESET_ROW))) ? '0 : weight_q + 20'd1;
      g_q <= g_last ? '0 : g_q + 12'd1;
      if (tap_last) kx_q <= kx_last ? '0 : kx_q + 8'd1;
      if (row_last) ky_q <= ky_last ? '0 : ky_q + 8'd1;
      if (pass_last) p_q <= p_last ? '0 : p_q + 2'd1;
      else if (d_q.listed) p_q <= entry_p;
      if (inner && g_last) word_q <= next_pass;
      if (tap_last) begin
        {tap_x_q, word_q} <= {2{next_tap}};
        x_q <= x_q + 14'(d_q.x_tap);
      end
      if (row_last) begin
        {tap_y_q, tap_x_q, word_q} <= {3{next_row}};
        y_q <= y_q + 14'(d_q.y_tap);
        if (!picks) x_q <= x_j_q;
      end
      if (taps_last && !inner) begin
        {tap_y_q, tap_x_q, word_q} <= {3{next_pass}};
        y_q <= y_i_q;
      end
      if (output_last) begin
        j_q <= j_last ? '0 : j_q + (several ? 12'(Pixels) : 12'd1);
        if (j_last) i_q <= i_last ? '0 : i_q + 12'd1;
        if (j_last && i_last) begin
          n_q <= n_q + 8'd1;
          {src_n_q, dst_n_q} <= {next_n, next_dst_n};
        end
        if (j_last) {src_i_q, dst_i_q} <= {next_i, next_dst_i};
        {src_j_q, tap_y_q, tap_x_q, word_q, dst_j_q} <= {{4{next_j}}, next_dst_j};
        {y_i_q, y_q} <= {2{next_y}};
        {x_j_q, x_q} <= {2{next_x}};
        acc_word_q <= acc_word_q + 16'd1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      {busy_q, waiting_q} <= '0;
    end else if (take_i) begin
      {busy_q, waiting_q} <= 2'b10;
    end else if (waiting_q) begin
      wait_q    <= wait_q - 8'd1;
      waiting_q <= wait_q != 8'd1;
    end else if (step_o && output_last) begin
      busy_q    <= !all_last;
      waiting_q <= d_q.idle != '0;
      wait_q    <= d_q.idle;
    end
  end

  logic        tap_first, shifted;
  logic [3:0]  shifts;   // bit p: a shift before pass p
  logic [1:0]  below;    // log2 of the weights in the space of one of full width
  logic [7:0]  pad;
  logic [17:0] number;
  logic [1:0]  number_p;  // the step's pass
  logic [13:0] at_y, at_x;
  logic [23:0] word;  // of pixel 0
  logic [11:0] left;  // outputs of the row behind pixel 0 that may be made with it
  logic [2:0]  more;  // ... that are
  assign shifts    = {d_q.shift_3, d_q.shift_2, d_q.shift_1, 1'b0};
  assign tap_first = kx_q == '0 && ky_q == '0;
  assign number_p  = d_q.listed ? entry_p : p_q;
  assign shifted   = (d_q.listed ? entry_p != p_q : g_q == '0 && (inner || tap_first)) && shifts[number_p];
  assign pad       = (number_p == 2'd0) ? d_q.pad : (number_p == 2'd1) ? d_q.pad_1 : (number_p == 2'd2) ? d_q.pad_2 : d_q.pad_3;
  assign at_y      = d_q.listed ? y_i_q + 14'(entry_y) : y_q;
  assign at_x      = d_q.listed ? x_j_q + 14'(entry_x) : x_q;
  assign number    = picks ? 18'(signed'(x_q)) : (p_q == '0) ? d_q.start_1 : d_q.start_2;
  assign below      = 2'(WidthLog) - d_q.width;
  assign word       = d_q.listed ? src_j_q + 24'(signed'(entry_offset)) : word_q + 24'(g_q);
  assign weight_o   = d_q.weight + (weight_q >> below);
  assign left       = several ? d_q.width_out - 12'd1 - j_q : '0;
  dfc_lb_pixels #(.Pixels(Pixels)) u_pixels (
    .word_i(word), .src_w_i(d_q.src_w), .y_i(at_y), .y_size_i(d_q.y_size), .x_i(at_x), .x_step_i(d_q.x_step), .x_size_i(d_q.x_size), .left_i(left),
    .address_o, .present_o, .more_o(more)
  );
  assign info_o     = '{
    fresh: g_q == '0 && (inner ? !shifts[p_q] : (tap_first && (d_q.listed || p_q == '0))),
    ends: inner && g_last && (p_last || !shifts[p_q + 2'd1]),
    initial_tap: tap_first, last: output_last, shift: shifted,
    present: present_o[0],
    pad: pad, op: d_q.op, number: number, width: d_q.width, part: weight_q[2:0] & ~(3'b111 << below),
    acc_load: d_q.acc_load, acc_store: d_q.acc_store, acc_word: acc_word_q
  };
  assign result_o   = '{
    final_result: all_last, lookup: d_q.lookup, signals: d_q.signals, hidden: d_q.acc_store, levels: d_q.levels, bank: d_q.bank, twice: d_q.twice,
    scale: d_q.scale, scale_shift: d_q.scale_shift, root: d_q.root, root_steps: d_q.start_1[5:0],
    root_start: d_q.start_2[6:0], planes: d_q.planes, writes: d_q.writes, lane: d_q.lane, more: more, dst: dst_j_q, dst_w: d_q.dst_w, dst_p: d_q.dst_p
  };
  logic unused_fields;
  assign unused_fields = ^{d_q.unused_bits, d_q.opcode, d_q.waits, d_q.drain, d_q.src, d_q.dst};
endmodule
