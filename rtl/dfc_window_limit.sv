// How far the writer of a line buffer may go: Depth words beyond the oldest word that a window still needs.
// limit_o is a register, right for the present tap; next_i tells what the next tap is (see dfc_window_walk).
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
  localparam int StepY = int'(StrideH / StuffH) * Row;
  localparam int StepX = int'(StrideW / StuffW) * Pixel - (Fine ? Pixel - 1 : 0);
  localparam int First = clip(StartY) + clip(StartX) + int'(Depth);  // limits of the first window, of the second row, of the frame
  localparam int Second = clip(SecondY) + clip(StartX) + int'(Depth);
  localparam int End = Words + First;

  logic carry_y, carry_x;  // a step that crosses one pixel more for its phase in the stuffing
  logic row_end, window_end, frame_end;
  assign frame_end  = next_i == 3'd6;
  assign row_end    = next_i == 3'd5;
  assign window_end = next_i == 3'd4;

  index_t start_q, start_d;    // first word of the window in its row, before clipping
  index_t row_q;               // limit by the row, next_row_q the same for the next row with clipping
  index_t after_q, after_d;    // first word of the row after, before clipping
  index_t next_row_q, next_row_d, window, limit_q;

  always_comb begin
    start_d = start_q;
    if (window_end) start_d = start_q + index_t'(StepX) + (carry_x ? index_t'(Pixel) : '0);
    else if (Fine && next_i == 3'd0) start_d = start_q + index_t'(1);
  end
  assign window     = row_q + (start_d[IndexBits-1] ? '0 : start_d);
  assign after_d    = after_q + index_t'(StepY) + (carry_y ? index_t'(Row) : '0);
  assign next_row_d = (after_d[IndexBits-1] ? '0 : after_d) + index_t'(clip(StartX) + int'(Depth));

  always_ff @(posedge clk_i) begin
    if (!rst_ni || (step_i && frame_end)) begin
      start_q    <= index_t'(StartX);
      row_q      <= index_t'(clip(StartY) + int'(Depth));
      after_q    <= index_t'(SecondY);
      next_row_q <= index_t'(Second < End ? Second : End);
      limit_q    <= index_t'(First);
    end else if (step_i && row_end) begin
      start_q    <= index_t'(StartX);
      row_q      <= (after_q[IndexBits-1] ? '0 : after_q) + index_t'(Depth);
      after_q    <= after_d;
      next_row_q <= next_row_d < index_t'(End) ? next_row_d : index_t'(End);
      limit_q    <= next_row_q;
    end else if (step_i) begin
      start_q    <= start_d;
      limit_q    <= window < next_row_q ? window : next_row_q;
    end
  end
  assign limit_o = limit_q;

  dfc_window_phase #(.First(PlaceX), .Step(StrideW), .Stuff(StuffW))
    u_phase_x (.clk_i, .rst_ni, .clear_i(step_i && (row_end || frame_end)), .step_i(step_i && window_end), .carry_o(carry_x));
  dfc_window_phase #(.First(NextY), .Step(StrideH), .Stuff(StuffH))
    u_phase_y (.clk_i, .rst_ni, .clear_i(step_i && frame_end), .step_i(step_i && row_end), .carry_o(carry_y));
endmodule
