// Walks over the taps of all windows of a frame: where the word of each tap is, and how far the writer may go before it.
// One tap a cycle (step_i); the outputs are registers that describe the present tap. Word numbers count from its frame.
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
  output logic                        real_o,      // the tap is a pixel, not padding
  output logic signed [IndexBits-1:0] index_o,     // its word
  output logic        [AddrBits-1:0]  addr_o,      // and where that is
  output logic signed [IndexBits-1:0] limit_o,     // first word that may not be written yet
  output logic                        frame_end_o  // the tap is the frame's last
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

  typedef logic signed [IndexBits-1:0] index_t;
  typedef logic [AddrBits-1:0]         addr_t;

  function automatic int floor_div(int a, int b);
    return a >= 0 ? a / b : -((b - 1 - a) / b);
  endfunction
  function automatic int modulo(int a, int b);
    return a - floor_div(a, b) * b;
  endfunction
  function automatic int clip(int a);
    return a > 0 ? a : 0;
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

  // Counters, the fastest first.
  localparam int unsigned Count [6] = '{Fold / Groups, KernelW, KernelH, Groups, OutWidth, OutHeight};
  logic [5:0] last;
  logic [5:0] carry;
  logic [2:0] next;
  for (genvar i = 0; i < 6; i++) begin : gen_counter
    localparam int unsigned Bits = Count[i] > 1 ? $clog2(Count[i]) : 1;
    logic [Bits-1:0] count_q;
    assign last[i] = count_q == Bits'(Count[i] - 1);
    assign carry[i] = i == 0 ? step_i : carry[(i+5)%6] && last[(i+5)%6];
    always_ff @(posedge clk_i) begin
      if (!rst_ni)       count_q <= '0;
      else if (carry[i]) count_q <= last[i] ? '0 : count_q + 1'b1;
    end
  end
  always_comb begin
    next = 3'd6;
    for (int i = 5; i >= 0; i--) if (!last[i]) next = 3'(i);
  end
  assign frame_end_o = &last;

  // Is the tap a pixel? Each axis by itself; carry_* says that the move crosses one more pixel for its phase in the stuffing.
  logic real_y, real_x, carry_y, carry_x;
  dfc_window_axis #(.Origin(OriginY), .Last(LastY), .End(EndY), .Stuff(StuffH), .Pads(PadsY),
    .Moves('{move_y(0), move_y(1), move_y(2), move_y(3), move_y(4), move_y(5), move_y(6)}))
    u_axis_y (.clk_i, .rst_ni, .step_i, .next_i(next), .real_o(real_y), .carry_o(carry_y));
  dfc_window_axis #(.Origin(OriginX), .Last(LastX), .End(EndX), .Stuff(StuffW), .Pads(PadsX),
    .Moves('{move_x(0), move_x(1), move_x(2), move_x(3), move_x(4), move_x(5), move_x(6)}))
    u_axis_x (.clk_i, .rst_ni, .step_i, .next_i(next), .real_o(real_x), .carry_o(carry_x));
  assign real_o = real_y && real_x;

  // Number and place of the word.
  index_t index_step [28];
  addr_t  addr_step  [28];
  for (genvar e = 0; e < 7; e++) begin : gen_move
    for (genvar k = 0; k < 4; k++) begin : gen_carry
      localparam int Step = (floor_div(move_y(e), int'(StuffH)) + k / 2) * Row
                          + (floor_div(move_x(e), int'(StuffW)) + k % 2) * Pixel + move_word(e);
      assign index_step[4*e+k] = index_t'(Step);
      assign addr_step[4*e+k]  = addr_t'(modulo(e == 6 ? Step + Words : Step, int'(Depth)));
    end
  end
  localparam int FirstIndex = floor_div(OriginY, int'(StuffH)) * Row + floor_div(OriginX, int'(StuffW)) * Pixel;
  index_t index_q;
  addr_t  addr_q;
  logic [AddrBits:0] addr_sum;
  assign addr_sum = {1'b0, addr_q} + {1'b0, addr_step[{next, carry_y, carry_x}]};
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      index_q <= index_t'(FirstIndex);
      addr_q  <= addr_t'(modulo(FirstIndex, int'(Depth)));
    end else if (step_i) begin
      index_q <= index_q + index_step[{next, carry_y, carry_x}];
      addr_q  <= addr_t'(addr_sum >= (AddrBits+1)'(Depth) ? addr_sum - (AddrBits+1)'(Depth) : addr_sum);
    end
  end
  assign index_o = index_q;
  assign addr_o  = addr_q;

  dfc_window_limit #(.Row(Row), .Pixel(Pixel), .Words(Words), .StrideH(StrideH), .StrideW(StrideW), .StuffH(StuffH), .StuffW(StuffW),
    .OriginY(OriginY), .OriginX(OriginX), .Depth(Depth), .Fine(Fine), .IndexBits(IndexBits))
    u_limit (.clk_i, .rst_ni, .step_i, .next_i(next), .limit_o);
endmodule
