// Whether the writer of a line buffer has room for a word: it may go Depth words beyond the oldest one that the present tap still needs.
// Without stuffing, and where all windows start in front of the picture's ends, that word moves by few constants: one number, below 0 while
// there is room, counts words that are written and what each step frees. Other windows compare the writer's place with dfc_window_limit's.
// next_i and the row's and frame's ends tell what comes behind the tap after the present one (see dfc_window_walk).
module dfc_window_room #(
  parameter int unsigned Height = 4,
  parameter int unsigned Width = 4,
  parameter int unsigned Fold = 1,
  parameter int unsigned StrideH = 1,
  parameter int unsigned StrideW = 1,
  parameter int unsigned StuffH = 1,
  parameter int unsigned StuffW = 1,
  parameter int          OriginY = 0,
  parameter int          OriginX = 0,
  parameter int unsigned OutHeight = 2,
  parameter int unsigned OutWidth = 2,
  parameter int unsigned Depth = 16,
  parameter bit          Fine = 1'b0,
  parameter int unsigned IndexBits = 8
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       ahead_i,        // the counters go on
  input  logic       step_i,         // the present tap is done
  input  logic       push_i,         // a word is written
  input  logic [2:0] next_i,
  input  logic       row_end_i,      // next_i is 5 or 6
  input  logic       frame_end_i,    // next_i is 6
  input  logic       frame_done_i,   // the present tap is the frame's last
  output logic       ready_o
);
  localparam int Row = int'(Width * Fold);
  localparam int Pixel = int'(Fold);
  localparam int Words = int'(Height * Width * Fold);

  function automatic int clip(int a);
    return a > 0 ? a : 0;
  endfunction

  // Rows and columns of windows that start outside of the picture, where the first one inside starts, and the last one.
  localparam int OutsideY = (clip(-OriginY) + int'(StrideH) - 1) / int'(StrideH);
  localparam int OutsideX = (clip(-OriginX) + int'(StrideW) - 1) / int'(StrideW);
  localparam int InsideY = OriginY + OutsideY * int'(StrideH);
  localparam int InsideX = OriginX + OutsideX * int'(StrideW);
  localparam int LastY = OriginY + int'((OutHeight - 1) * StrideH);
  localparam int LastX = OriginX + int'((OutWidth - 1) * StrideW);
  localparam int Start = clip(OriginY) * Row + clip(OriginX) * Pixel;
  localparam int Across = (clip(LastX) - clip(OriginX)) * Pixel;
  localparam bit Even = StuffH == 1 && StuffW == 1 && !Fine && LastY < int'(Height) && LastX < int'(Width);

  if (Even) begin : gen_even
    // A row outside frees nothing where the row behind it starts, or would start, at the top at most.
    localparam int Frame = (LastY + int'(StrideH) <= 0) ? Words : Words - (clip(LastY) - clip(OriginY)) * Row - Across;
    localparam int Largest = (Frame > int'(StrideH) * Row) ? Frame : int'(StrideH) * Row;
    // A window waits for a pixel at or behind its start, so that no more is freed beyond what is written than a step frees; but windows that
    // start outside may have no pixel at all, if they dilate over the whole picture.
    localparam int unsigned Bits = $clog2(int'(Depth) + 2 * Largest + Start + 1) + 1;
    localparam int unsigned RowBits = $clog2(OutsideY + 2);
    localparam int unsigned ColumnBits = $clog2(OutsideX + 2);
    typedef logic signed [Bits-1:0] used_t;

    logic [RowBits-1:0] row_q;        // rows of windows to the first one inside
    logic [ColumnBits-1:0] column_q;  // and columns
    used_t used_q, freed_q, freed;
    always_comb begin
      freed = '0;
      if (next_i == 3'd4 && (row_q == '0 || (row_q == RowBits'(1) && InsideY > 0))) begin
        if (column_q == '0)                  freed = used_t'(-(int'(StrideW) * Pixel));
        else if (column_q == ColumnBits'(1)) freed = used_t'(-InsideX * Pixel);
      end else if (next_i == 3'd5) begin
        if (row_q == '0)                                   freed = used_t'(Across - int'(StrideH) * Row);
        else if (row_q == RowBits'(1) && InsideY > 0)      freed = used_t'(Across - InsideY * Row);
      end else if (next_i == 3'd6) begin
        freed = used_t'(-Frame);
      end
    end
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        row_q    <= RowBits'(OutsideY);
        column_q <= ColumnBits'(OutsideX);
        used_q   <= used_t'(-(int'(Depth) + Start));
      end else begin
        if (ahead_i && row_end_i) row_q <= frame_end_i ? RowBits'(OutsideY) : (row_q == '0) ? '0 : row_q - 1'b1;
        if (ahead_i && row_end_i)              column_q <= ColumnBits'(OutsideX);
        else if (ahead_i && next_i == 3'd4)    column_q <= (column_q == '0) ? '0 : column_q - 1'b1;
        used_q <= used_q + (step_i ? freed_q : '0) + used_t'({1'b0, push_i});
      end
      if (ahead_i) freed_q <= freed;
    end
    assign ready_o = used_q[Bits-1];
    logic unused;
    assign unused = frame_done_i;
  end else begin : gen_uneven
    typedef logic signed [IndexBits-1:0] index_t;
    index_t written_q, limit;  // words of the reader's frame (and later ones) that are written
    // Compared without sign, both sign bits inverted: a carry chain gives that at its end.
    localparam logic [IndexBits-1:0] Sign = {1'b1, {(IndexBits-1){1'b0}}};
    assign ready_o = (unsigned'(written_q) ^ Sign) < (unsigned'(limit) ^ Sign);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) written_q <= '0;
      else         written_q <= written_q + index_t'({1'b0, push_i}) - (step_i && frame_done_i ? index_t'(Words) : '0);
    end
    dfc_window_limit #(.Row(Row), .Pixel(Pixel), .Words(Words), .StrideH(StrideH), .StrideW(StrideW), .StuffH(StuffH), .StuffW(StuffW),
      .OriginY(OriginY), .OriginX(OriginX), .Depth(Depth), .Fine(Fine), .IndexBits(IndexBits))
      u_limit (.clk_i, .rst_ni, .step_i(ahead_i), .next_i, .row_end_i, .frame_end_i, .limit_o(limit));
  end
endmodule
