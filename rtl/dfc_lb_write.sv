// Writes the results of the loopback array: for each plane of a code, and each word that the rows fill, one memory word.
// A result is taken in any cycle after the last word of the one before; the first word is written the cycle after.
`include "dfc_lb_types.svh"
module dfc_lb_write #(
  parameter int unsigned Pe      = 4,
  parameter int unsigned Simd    = 16,
  parameter int unsigned ActBits = 8,
  parameter int unsigned AccBits = 32
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clear_i,
  input  logic                  valid_i,
  input  logic [Pe*AccBits-1:0] values_i,
  input  dfc_lb_result_t        result_i,
  output logic [Simd-1:0]       write_o,
  output logic [23:0]           addr_o,
  output logic [ActBits*Simd-1:0] data_o,
  output logic                  finished_o,  // the last word of the last result of a step
  output logic                  done_o,      // ... of a descriptor
  output logic [2:0]            signals_o,
  output logic                  overrun_o
);
  localparam int unsigned Words  = Pe > Simd ? Pe / Simd : 1;
  localparam int unsigned Groups = Simd > Pe ? Simd / Pe : 1;
  localparam int unsigned Lanes  = Pe < Simd ? Pe : Simd;
  localparam int unsigned DigitBits = $clog2(AccBits / ActBits);
  localparam int unsigned WordBits = Words > 1 ? $clog2(Words) : 1;

  if (Pe % Lanes != 0 || Simd % Lanes != 0) begin : gen_check
    $fatal(1, "dfc_lb_write: one of Pe and Simd must divide the other");
  end

  logic                  active_q;
  logic [Pe*AccBits-1:0] values_q;
  dfc_lb_result_t        info_q;
  logic [2:0]            plane_q;
  logic [5:0]            word_q;
  logic [23:0]           plane_addr_q;
  logic                  word_last, last;
  assign word_last  = info_q.hidden || word_q == info_q.writes - 6'd1;
  assign last       = word_last && (info_q.hidden || plane_q == info_q.planes);
  assign finished_o = active_q && last && info_q.more == '0;
  assign done_o     = finished_o && info_q.final_result;
  assign signals_o  = info_q.signals;
  assign overrun_o  = valid_i && active_q && !last;

  logic [Words-1:0][ActBits*Lanes-1:0] parts;
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_digit
    logic [AccBits/ActBits-1:0][ActBits-1:0] digits;
    assign digits = values_q[p*AccBits +: AccBits];
    assign parts[p/Lanes][ActBits*(p%Lanes) +: ActBits] = digits[DigitBits'(plane_q)] ^ {plane_q != info_q.planes, (ActBits - 1)'(0)};
  end
  logic [ActBits*Lanes-1:0] word;
  if (Words > 1) begin : gen_words
    assign word = parts[word_q[WordBits-1:0]];
  end else begin : gen_word
    assign word = parts[0];
  end
  assign data_o = {Groups{word}};
  assign addr_o = plane_addr_q + 24'(word_q);
  for (genvar g = 0; g < int'(Groups); g++) begin : gen_group
    assign write_o[g*Lanes +: Lanes] = {Lanes{active_q && !info_q.hidden && 32'(info_q.lane) == g * Lanes}};
  end

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      values_q     <= values_i;
      info_q       <= result_i;
      plane_addr_q <= result_i.dst;
      {plane_q, word_q} <= '0;
    end else if (active_q) begin
      word_q <= word_last ? '0 : word_q + 6'd1;
      if (word_last) begin
        plane_q      <= plane_q + 3'd1;
        plane_addr_q <= plane_addr_q + info_q.dst_p;
      end
    end
    if (!rst_ni || clear_i) active_q <= 1'b0;
    else                    active_q <= valid_i || (active_q && !last);
  end
  logic unused_fields;
  assign unused_fields = ^{info_q.levels, info_q.bank, info_q.twice, info_q.lookup, info_q.scale, info_q.scale_shift, info_q.dst, info_q.dst_w, info_q.root, info_q.root_steps, info_q.root_start};
endmodule
