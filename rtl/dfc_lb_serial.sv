// Results of the pixels that the loopback array makes together, one after the other: the first as it comes, each other when the words of
// the one before are written. A partial sum is not written: of a step one result goes on. Latency 0.
`include "dfc_lb_types.svh"
module dfc_lb_serial #(
  parameter int unsigned Pixels  = 1,
  parameter int unsigned Pe      = 4,
  parameter int unsigned AccBits = 32
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,
  input  logic                                clear_i,
  input  logic                                valid_i,
  input  logic [Pixels-1:0][Pe*AccBits-1:0]   sums_i,
  input  dfc_lb_result_t                      result_i,
  output logic                                valid_o,
  output logic [Pe*AccBits-1:0]               sums_o,
  output dfc_lb_result_t                      result_o,
  output logic                                overrun_o  // a step's results come before those of the one before have gone on
);
  if (Pixels == 1) begin : gen_one
    assign valid_o   = valid_i;
    assign sums_o    = sums_i;
    assign result_o  = result_i;
    assign overrun_o = 1'b0;
    logic unused_all;
    assign unused_all = ^{clk_i, rst_ni, clear_i};
  end else begin : gen_several
    logic [Pixels-2:0][Pe*AccBits-1:0] kept_q;
    dfc_lb_result_t first, next, info_q;
    logic [2:0] left_q;
    logic [2:0] plane_q;  // words of a result that are still to be written: planes beyond this one, words of it
    logic [5:0] word_q;
    logic       plane_last, follows;
    always_comb begin
      first = result_i;
      if (result_i.hidden) first.more = '0;
      first.final_result = result_i.final_result && first.more == '0;
    end
    always_comb begin
      next = info_q;
      next.more = left_q - 3'd1;
      next.final_result = info_q.final_result && left_q == 3'd1;
    end
    assign plane_last = word_q == 6'd1;
    assign follows   = left_q != '0 && plane_last && plane_q == '0;
    assign valid_o   = valid_i || follows;
    assign sums_o    = follows ? kept_q[0] : sums_i[0];
    assign result_o  = follows ? next : first;
    assign overrun_o = valid_i && left_q != '0;
    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        kept_q     <= sums_i[Pixels-1:1];
        info_q     <= result_i;
        info_q.dst <= result_i.dst + result_i.dst_w;
        {plane_q, word_q} <= {result_i.planes, result_i.writes};
      end else if (follows) begin
        if (Pixels > 2) kept_q <= kept_q >> (Pe * AccBits);
        info_q.dst <= info_q.dst + info_q.dst_w;
        {plane_q, word_q} <= {info_q.planes, info_q.writes};
      end else begin
        word_q <= plane_last ? info_q.writes : word_q - 6'd1;
        if (plane_last) plane_q <= plane_q - 3'd1;
      end
      if (!rst_ni || clear_i) left_q <= '0;
      else if (valid_i)       left_q <= first.more;
      else if (follows)       left_q <= left_q - 3'd1;
    end
  end
endmodule
