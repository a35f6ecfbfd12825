// Nearest-neighbour upsampling: each row FactorH times, each pixel of Fold beats FactorW times, out of a circular row buffer.
// Latency 1 cycle after a word is written; interval beats out, no bubble between rows or frames.
`include "dfc_assert.svh"
module dfc_upsample #(
  parameter int unsigned Height = 1,  // only the C++ model needs it
  parameter int unsigned Width = 4,
  parameter int unsigned Fold = 1,
  parameter int unsigned FactorH = 2,
  parameter int unsigned FactorW = 2,
  parameter int unsigned BeatBits = 8,
  parameter int unsigned Depth = 6,
  parameter int unsigned RamStyle = 0
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic [BeatBits-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  output logic [BeatBits-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);
  if (Height < 1 || Width < 1 || Fold < 1 || FactorH < 1 || FactorW < 1 || BeatBits < 1 || Depth < 1) begin : gen_check
    $fatal(1, "dfc_upsample: every parameter but RamStyle must be at least 1");
  end

  localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned LevelBits = $clog2(Depth + 1);
  typedef logic [AddrBits-1:0]  addr_t;
  typedef logic [LevelBits-1:0] level_t;

  // The reader's place: word of the pixel, copy of the pixel, pixel of the row, copy of the row.
  localparam int unsigned Count [4] = '{Fold, FactorW, Width, FactorH};
  logic [3:0] last, carry;
  logic step, push;
  for (genvar i = 0; i < 4; i++) begin : gen_counter
    localparam int unsigned Bits = Count[i] > 1 ? $clog2(Count[i]) : 1;
    logic [Bits-1:0] count_q;
    assign last[i]  = count_q == Bits'(Count[i] - 1);
    assign carry[i] = i == 0 ? step : carry[(i+3)%4] && last[(i+3)%4];
    always_ff @(posedge clk_i) begin
      if (!rst_ni)       count_q <= '0;
      else if (carry[i]) count_q <= last[i] ? '0 : count_q + 1'b1;
    end
  end

  // Words count from the oldest that is still needed: `level_q` of them are written, the reader is at `offset_q`.
  // In the last copy of a row a word dies when the last copy of its pixel is read.
  function automatic int unsigned gone_back(int unsigned words);
    return (Depth - words % Depth) % Depth;
  endfunction
  localparam addr_t BackPixel = addr_t'(gone_back(Fold - 1));
  localparam addr_t BackRow   = addr_t'(gone_back(Width * Fold - 1));
  level_t level_q, offset_q;
  addr_t  wr_q, rd_q, move;
  logic [AddrBits:0] rd_sum;
  logic   dies, repeat_pixel, repeat_row, valid_q;
  assign dies         = last[3] && last[1];
  assign repeat_pixel = last[0] && !last[1];
  assign repeat_row   = last[0] && last[1] && last[2] && !last[3];
  assign move         = repeat_row ? BackRow : repeat_pixel ? BackPixel : addr_t'(Depth > 1 ? 1 : 0);
  assign rd_sum       = {1'b0, rd_q} + {1'b0, move};
  assign in_ready_o   = level_q != level_t'(Depth);
  assign push         = in_valid_i && in_ready_o;
  assign step         = offset_q < level_q && (!valid_q || out_ready_i);
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      level_q  <= '0;
      offset_q <= '0;
      rd_q     <= '0;
      valid_q  <= 1'b0;
    end else begin
      level_q <= level_q + level_t'(push) - level_t'(step && dies);
      if (step) begin
        rd_q <= addr_t'(rd_sum >= (AddrBits+1)'(Depth) ? rd_sum - (AddrBits+1)'(Depth) : rd_sum);
        if (repeat_row) offset_q <= '0;
        else if (repeat_pixel) offset_q <= offset_q - level_t'(Fold - 1);
        else if (!dies) offset_q <= offset_q + 1'b1;
      end
      if (step) valid_q <= 1'b1;
      else if (out_ready_i) valid_q <= 1'b0;
    end
  end
  logic wr_last;
  dfc_counter #(.Count(Depth)) u_write (.clk_i, .rst_ni, .step_i(push), .value_o(wr_q), .last_o(wr_last));
  logic unused;
  assign unused = wr_last;

  dfc_ram #(.Width(BeatBits), .Depth(Depth), .Style(RamStyle)) u_buffer (
    .clk_i, .wr_en_i(push), .wr_addr_i(wr_q), .wr_data_i(in_data_i), .rd_en_i(step), .rd_addr_i(rd_q), .rd_data_o(out_data_o)
  );
  assign out_valid_o = valid_q;

  `DFC_STREAM_STABLE(out_valid_o, out_ready_i, out_data_o)
endmodule
