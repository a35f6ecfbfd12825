// How far the writer of a line buffer may go: Depth words beyond the oldest word that a window still needs.
// limit_o is a register, right for the present tap; all else here describes the tap after it, and next_i tells what comes after that one
// (see dfc_window_walk). Right after reset both are the first tap.
module dfc_window_limit #(
  parameter int          Row = 4,
  parameter int          Pixel = 1,
  parameter int          Words = 16,
  parameter int unsigned StrideH = 1,
  parameter int unsigned StrideW = 1,
  parameter int unsigned StuffH = 1,
  parameter int unsigned StuffW = 1,
  parameter int          OriginY = 0,
  parameter int          OriginX = 0,
  parameter int unsigned Depth = 16,
  parameter bit          Fine = 1'b0,
  parameter int unsigned IndexBits = 8
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        step_i,
  input  logic [2:0]                  next_i,
  input  logic                        row_end_i,    // next_i is 5 or 6
  input  logic                        frame_end_i,  // next_i is 6
  output logic signed [IndexBits-1:0] limit_o
);
  typedef logic signed [IndexBits-1:0] index_t;

  function automatic int floor_div(int a, int b);
    return a >= 0 ? a / b : -((b - 1 - a) / b);
  endfunction
  function automatic int clip(int a);
    return a > 0 ? a : 0;
  endfunction

  // A row or column of windows starts at the first pixel at or after its place in the stuffed picture.
  localparam int SpanY = int'(StuffH);
  localparam int SpanX = int'(StuffW);
  localparam int PlaceY = OriginY + SpanY - 1;
  localparam int PlaceX = OriginX + SpanX - 1;
  localparam int NextY = PlaceY + int'(StrideH);
  localparam int StartY = floor_div(PlaceY, SpanY) * Row;
  localparam int StartX = floor_div(PlaceX, SpanX) * Pixel;
  localparam int SecondY = floor_div(NextY, SpanY) * Row;
  localparam int ThirdY = floor_div(NextY + int'(StrideH), SpanY) * Row;
  localparam int StepY = int'(StrideH / StuffH) * Row;
  localparam int StepX = int'(StrideW / StuffW) * Pixel - (Fine ? Pixel - 1 : 0);
  localparam int First = clip(StartY) + int'(Depth);  // limit by the first row of windows; in a frame the most is the next frame's
  localparam int Second = clip(SecondY) + int'(Depth);
  localparam int Most = Words + First;

  logic carry_y, carry_x;  // a step that crosses one pixel more for its phase in the stuffing
  logic window_end;
  assign window_end = next_i == 3'd4;

  index_t start_q, start_d;  // first word of the window in its row, before clipping
  index_t row_q;             // limit by the row
  index_t follow_q, follow;  // and by the row after
  index_t after_q;           // first word of the row after that, before clipping
  index_t window, most, limit_q;

  always_comb begin
    start_d = start_q;
    if (window_end) start_d = start_q + index_t'(StepX) + (carry_x ? index_t'(Pixel) : '0);
    else if (Fine && next_i == 3'd0) start_d = start_q + index_t'(1);
  end
  assign follow = (after_q[IndexBits-1] ? '0 : after_q) + index_t'(Depth);

  always_ff @(posedge clk_i) begin
    if (!rst_ni || (step_i && row_end_i)) start_q <= index_t'(StartX);
    else if (step_i)                      start_q <= start_d;
    if (!rst_ni || (step_i && frame_end_i)) begin
      row_q    <= index_t'(First);
      follow_q <= index_t'(Second < Most ? Second : Most);
      after_q  <= index_t'(ThirdY);
    end else if (step_i && row_end_i) begin
      row_q    <= follow_q;
      follow_q <= unsigned'(follow) < unsigned'(index_t'(Most)) ? follow : index_t'(Most);
      after_q  <= after_q + index_t'(StepY) + (carry_y ? index_t'(Row) : '0);
    end
  end

  // None of these is below 0.
  assign window = row_q + (start_q[IndexBits-1] ? '0 : start_q);
  assign most   = follow_q + index_t'(clip(StartX));
  always_ff @(posedge clk_i) begin
    if (!rst_ni)     limit_q <= index_t'(First + clip(StartX));
    else if (step_i) limit_q <= unsigned'(window) < unsigned'(most) ? window : most;
  end
  assign limit_o = limit_q;

  dfc_window_phase #(.First(PlaceX), .Step(StrideW), .Stuff(StuffW))
    u_phase_x (.clk_i, .rst_ni, .clear_i(step_i && row_end_i), .step_i(step_i && window_end), .carry_o(carry_x));
  dfc_window_phase #(.First(NextY + int'(StrideH)), .Step(StrideH), .Stuff(StuffH))
    u_phase_y (.clk_i, .rst_ni, .clear_i(step_i && frame_end_i), .step_i(step_i && row_end_i), .carry_o(carry_y));
endmodule
