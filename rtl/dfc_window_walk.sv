// Walks over the taps of all windows of a frame: where the word of each tap is, and whether the writer may go on before it.
// One tap a cycle (step_i, from the second cycle after reset on); the outputs are registers that describe the present tap. Counters run
// one tap ahead, so that what a step changes is known before it. Word numbers count from the tap's frame.
module dfc_window_walk #(
  parameter int unsigned Height = 4,
  parameter int unsigned Width = 4,
  parameter int unsigned Fold = 1,  // words of a pixel
  parameter int unsigned KernelH = 3,
  parameter int unsigned KernelW = 3,
  parameter int unsigned StrideH = 1,
  parameter int unsigned StrideW = 1,
  parameter int unsigned DilationH = 1,
  parameter int unsigned DilationW = 1,
  parameter int unsigned StuffH = 1,
  parameter int unsigned StuffW = 1,
  parameter int          OriginY = 0,  // place of the first tap in the stuffed picture
  parameter int          OriginX = 0,
  parameter int unsigned OutHeight = 2,
  parameter int unsigned OutWidth = 2,
  parameter int unsigned Groups = 1,
  parameter int unsigned Depth = 16,
  parameter int unsigned IndexBits = 8,
  localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        step_i,
  input  logic                        push_i,       // a word is written
  output logic                        written_o,    // the tap's word is there, or it is padding and waits for none
  output logic                        real_o,       // the tap is a pixel, not padding
  output logic        [AddrBits-1:0]  addr_o,       // where its word is
  output logic                        ready_o       // a word may be written
);
  localparam int Row = int'(Width * Fold);
  localparam int Pixel = int'(Fold);
  localparam int Words = int'(Height * Width * Fold);
  localparam int Part = int'(Fold / Groups);
  localparam int BackY = int'((KernelH - 1) * DilationH);
  localparam int BackX = int'((KernelW - 1) * DilationW);
  localparam int LastY = OriginY + int'((OutHeight - 1) * StrideH) + BackY;
  localparam int LastX = OriginX + int'((OutWidth - 1) * StrideW) + BackX;
  localparam int EndY = int'(Height * StuffH);
  localparam int EndX = int'(Width * StuffW);
  localparam bit PadsY = OriginY < 0 || LastY >= EndY || StuffH > 1;
  localparam bit PadsX = OriginX < 0 || LastX >= EndX || StuffW > 1;
  // Where windows are single taps, words die one by one, else window by window.
  localparam bit Fine = KernelH * KernelW * Groups * StuffH * StuffW == 1;

  typedef logic signed [IndexBits:0] spare_t;
  typedef logic [AddrBits-1:0]       addr_t;

  function automatic int floor_div(int a, int b);
    return a >= 0 ? a / b : -((b - 1 - a) / b);
  endfunction
  function automatic int modulo(int a, int b);
    return a - floor_div(a, b) * b;
  endfunction

  // What the next tap is: 0 the next word of the pixel, 1 the next column of the window, 2 its next row, 3 the next
  // group, 4 the next window, 5 the next row of windows, 6 the next frame.
  function automatic int move_y(int e);
    return e < 2 ? 0 : e == 2 ? int'(DilationH) : e < 5 ? -BackY : e == 5 ? int'(StrideH) - BackY : OriginY - LastY;
  endfunction
  function automatic int move_x(int e);
    return e == 0 ? 0 : e == 1 ? int'(DilationW) : e < 4 ? -BackX : e == 4 ? int'(StrideW) - BackX : OriginX - LastX;
  endfunction
  function automatic int move_word(int e);
    return e == 0 || e == 3 ? 1 : e < 3 ? 1 - Part : 1 - Pixel;
  endfunction

  // Counters, the fastest first; they and all that depends on them describe the tap after the present one. The cycle after reset takes
  // them from the first tap to the second.
  localparam int unsigned Count [6] = '{Fold / Groups, KernelW, KernelH, Groups, OutWidth, OutHeight};
  function automatic int first_move();
    first_move = 0;
    while (first_move < 6 && Count[first_move%6] == 1) first_move++;
  endfunction
  logic primed_q, ahead, first_q;  // first_q: the frame's first
  logic [5:0] last, last_d;  // a counter is at its end; and behind a step
  logic [5:0] wraps_q;       // all counters below are at their ends
  logic [2:0] next;
  assign ahead = step_i || !primed_q;
  for (genvar i = 0; i < 6; i++) begin : gen_counter
    always_ff @(posedge clk_i) begin
      if (!rst_ni)    wraps_q[i] <= first_move() >= i;
      else if (ahead) wraps_q[i] <= &(last_d | ~6'((1 << i) - 1));
    end
    if (Count[i] > 1) begin : gen_count
      localparam int unsigned Bits = $clog2(Count[i]);
      logic [Bits-1:0] count_q;
      logic last_q;
      assign last[i]   = last_q;
      assign last_d[i] = wraps_q[i] ? !last_q && count_q == Bits'(Count[i] - 2) : last_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          count_q <= '0;
          last_q  <= 1'b0;
        end else if (ahead) begin
          if (wraps_q[i]) count_q <= last_q ? '0 : count_q + 1'b1;
          last_q <= last_d[i];
        end
      end
    end else begin : gen_one
      assign {last[i], last_d[i]} = '1;
    end
  end
  always_comb begin
    next = 3'd6;
    for (int i = 5; i >= 0; i--) if (!last[i]) next = 3'(i);
  end
  logic unused;
  assign unused = ^wraps_q;
  always_ff @(posedge clk_i) begin
    primed_q <= rst_ni;
    if (!rst_ni)    first_q <= 1'b1;
    else if (ahead) first_q <= next == 3'd6;
  end

  // Is the tap a pixel? Each axis by itself; carry_* says that the move crosses one more pixel for its phase in the stuffing.
  logic real_y, real_x, carry_y, carry_x;
  dfc_window_axis #(.Origin(OriginY), .Last(LastY), .End(EndY), .Stuff(StuffH), .Pads(PadsY),
    .Moves('{move_y(0), move_y(1), move_y(2), move_y(3), move_y(4), move_y(5), move_y(6)}))
    u_axis_y (.clk_i, .rst_ni, .step_i(ahead), .next_i(next), .real_o(real_y), .carry_o(carry_y));
  dfc_window_axis #(.Origin(OriginX), .Last(LastX), .End(EndX), .Stuff(StuffW), .Pads(PadsX),
    .Moves('{move_x(0), move_x(1), move_x(2), move_x(3), move_x(4), move_x(5), move_x(6)}))
    u_axis_x (.clk_i, .rst_ni, .step_i(ahead), .next_i(next), .real_o(real_x), .carry_o(carry_x));

  // Words that each move goes on.
  function automatic int words_on(int e, int k);
    return (floor_div(move_y(e), int'(StuffH)) + k / 2) * Row + (floor_div(move_x(e), int'(StuffW)) + k % 2) * Pixel + move_word(e)
         + (e == 6 ? Words : 0);
  endfunction
  // Where a frame's first tap is padding, it waits for the frame's first word, since no frame starts before it arrives. Other padding
  // comes behind it and waits for nothing.
  localparam int FirstIndex = floor_div(OriginY, int'(StuffH)) * Row + floor_div(OriginX, int'(StuffW)) * Pixel;
  localparam bit FirstPads = OriginY < 0 || OriginX < 0 || modulo(OriginY, int'(StuffH)) != 0 || modulo(OriginX, int'(StuffW)) != 0;
  localparam int FirstNeed = FirstPads ? 0 : FirstIndex;
  localparam int FirstMove = first_move();
  localparam int SecondNeed = FirstMove == 6 ? FirstNeed + Words
                            : floor_div(OriginY + move_y(FirstMove), int'(StuffH)) * Row
                            + floor_div(OriginX + move_x(FirstMove), int'(StuffW)) * Pixel + move_word(FirstMove);

  spare_t spare_step [32];
  addr_t  addr_step  [32];
  for (genvar e = 0; e < 8; e++) begin : gen_move
    for (genvar k = 0; k < 4; k++) begin : gen_carry
      localparam int On = words_on(e, k);
      assign spare_step[4*e+k] = -spare_t'(e == 6 ? On + FirstNeed - FirstIndex : On);
      assign addr_step[4*e+k]  = addr_t'(modulo(On, int'(Depth)));
    end
  end

  // Of the present tap: words written beyond its own, less one; how much a step adds to that and to the address.
  spare_t spare_q, spare_step_q;
  addr_t  addr_q, addr_step_q;
  logic   real_q, waits_q, frame_end_q;
  logic [AddrBits:0] addr_sum;
  assign addr_sum = {1'b0, addr_q} + {1'b0, addr_step_q};
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      waits_q <= 1'b1;
      spare_q <= spare_t'(-1 - FirstNeed);
      addr_q  <= addr_t'(modulo(FirstIndex, int'(Depth)));
    end else begin
      if (ahead) waits_q <= first_q || (real_y && real_x);
      spare_q <= spare_q + (step_i ? spare_step_q : '0) + spare_t'({1'b0, push_i});
      if (step_i) addr_q <= addr_t'(addr_sum >= (AddrBits+1)'(Depth) ? addr_sum - (AddrBits+1)'(Depth) : addr_sum);
    end
    if (ahead) begin
      real_q       <= real_y && real_x;
      frame_end_q  <= next == 3'd6;
      spare_step_q <= first_q ? spare_t'(FirstNeed - SecondNeed) : spare_step[{next, carry_y, carry_x}];
      addr_step_q  <= addr_step[{next, carry_y, carry_x}];
    end
  end
  assign written_o   = !(waits_q && spare_q[IndexBits]);
  assign real_o      = real_q;
  assign addr_o      = addr_q;

  dfc_window_room #(.Height(Height), .Width(Width), .Fold(Fold), .StrideH(StrideH), .StrideW(StrideW), .StuffH(StuffH), .StuffW(StuffW),
    .OriginY(OriginY), .OriginX(OriginX), .OutHeight(OutHeight), .OutWidth(OutWidth), .Depth(Depth), .Fine(Fine), .IndexBits(IndexBits))
    u_room (.clk_i, .rst_ni, .ahead_i(ahead), .step_i, .push_i, .next_i(next), .row_end_i(wraps_q[5]), .frame_end_i(wraps_q[5] && last[5]),
    .frame_done_i(frame_end_q), .ready_o);
endmodule
