// First in, first out, exactly Depth beats. A beat may leave the cycle after it came; its place is free the cycle after it left.
// Latency 1, interval 1 (2 for Depth 1). Style: 0 auto, 1 registers, 2 LUTRAM, 3 block RAM, 4 UltraRAM.
`include "dfc_assert.svh"
module dfc_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 2,
  parameter int unsigned Style = 0,
  parameter int unsigned Beats = 1  // of a frame; only the C++ model needs it
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [Width-1:0] out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i
);
  if (Width < 1 || Depth < 1 || Style > 4 || Beats < 1) begin : gen_check
    $fatal(1, "dfc_fifo: Width, Depth and Beats must be at least 1, Style at most 4");
  end

  localparam int unsigned CountBits = $clog2(Depth + 1);
  localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1;
  localparam bit Synchronous = Style > 2 || (Style == 0 && Depth > 64);
  typedef logic [CountBits-1:0] count_t;
  typedef logic [AddrBits-1:0] addr_t;

  count_t count_q, count_d;
  logic   ready_q, valid_q, push, pop;
  addr_t  wr_q, rd_q;
  assign push    = in_valid_i && ready_q;
  assign pop     = valid_q && out_ready_i;
  assign count_d = count_q + count_t'(push) - count_t'(pop);
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q <= '0;
      ready_q <= 1'b1;
      valid_q <= 1'b0;
    end else begin
      count_q <= count_d;
      ready_q <= count_d != count_t'(Depth);
      valid_q <= count_d != '0;
    end
  end
  logic wr_last, rd_last;
  dfc_counter #(.Count(Depth)) u_write (.clk_i, .rst_ni, .step_i(push), .value_o(wr_q), .last_o(wr_last));
  dfc_counter #(.Count(Depth)) u_read (.clk_i, .rst_ni, .step_i(pop), .value_o(rd_q), .last_o(rd_last));
  logic unused_last;
  assign unused_last = ^{wr_last, rd_last, wr_q, rd_q};
  assign in_ready_o  = ready_q;
  assign out_valid_o = valid_q;

  if (Depth == 1) begin : gen_register
    logic [Width-1:0] beat_q;
    always_ff @(posedge clk_i) if (push) beat_q <= in_data_i;
    assign out_data_o = beat_q;
  end else if (Synchronous) begin : gen_block
    // The next beat is read in advance; one that comes while nothing else is left, since there was none or the only one goes, goes around
    // the memory. (Places are not compared: a chain and the beat's enables behind it would be the slowest path.)
    logic [Width-1:0] read, bypass_q;
    logic around, around_q, one_q;
    addr_t rd_d;
    assign rd_d   = !pop ? rd_q : rd_last ? '0 : rd_q + 1'b1;
    assign around = push && (!valid_q || (one_q && out_ready_i));
    always_ff @(posedge clk_i) begin
      one_q    <= rst_ni && count_d == count_t'(1);
      around_q <= around;
      bypass_q <= in_data_i;
    end
    dfc_ram #(.Width(Width), .Depth(Depth), .Style(Style)) u_ram (
      .clk_i, .wr_en_i(push), .wr_addr_i(wr_q), .wr_data_i(in_data_i), .rd_en_i(1'b1), .rd_addr_i(rd_d), .rd_data_o(read)
    );
    assign out_data_o = around_q ? bypass_q : read;
  end else begin : gen_shallow
    localparam string StyleName = Style == 1 ? "registers" : Style == 2 ? "distributed" : "auto";
    (* ram_style = StyleName *) logic [Width-1:0] beats [Depth];
    always_ff @(posedge clk_i) if (push) beats[wr_q] <= in_data_i;
    assign out_data_o = beats[rd_q];
    logic unused;
    assign unused = StyleName == "auto";
  end

  `DFC_STREAM_STABLE(out_valid_o, out_ready_i, out_data_o)
  `DFC_ALWAYS(!push || count_q != count_t'(Depth))
endmodule
