// An output port behind a host link: beats of Bytes bytes to bytes, the lowest first, kept until the host has them.
// A packet holds what is there when it starts; unless it is acknowledged, the next one starts with the same bytes.
// Depth: bytes of the buffer, a power of two. data_o is the packet's next byte from the third cycle after start or next on.
`include "dfc_assert.svh"
module dfc_link_out #(
  parameter int unsigned Bytes = 1,
  parameter int unsigned Depth = 512
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [8*Bytes-1:0] in_data_i,
  input  logic               in_valid_i,
  output logic               in_ready_o,
  input  logic               acknowledge_i,  // the host has all bytes that were sent
  input  logic               start_i,
  input  logic               next_i,
  output logic [15:0]        length_o,       // bytes that a packet which starts now holds
  output logic [7:0]         data_o
);
  localparam int unsigned AddrBits = $clog2(Depth);
  typedef logic [AddrBits:0] pointer_t;

  if (Bytes < 1 || Depth < 2 || Depth > 32768 || (1 << AddrBits) != Depth) begin : gen_check
    $fatal(1, "dfc_link_out: Bytes must be at least 1, Depth a power of two from 2 to 32768");
  end

  // Bytes of a beat leave its register one by one.
  localparam int unsigned CountBits = $clog2(Bytes + 1);
  logic [8*Bytes-1:0]   beat_q;
  logic [CountBits-1:0] count_q;
  pointer_t wr_q, kept_q, rd_q;
  logic write;
  assign in_ready_o = count_q == '0;
  assign write      = count_q != '0 && pointer_t'(wr_q - kept_q) != pointer_t'(Depth);
  always_ff @(posedge clk_i) begin
    if (!rst_ni)         count_q <= '0;
    else if (in_ready_o) count_q <= in_valid_i ? CountBits'(Bytes) : '0;
    else                 count_q <= count_q - CountBits'(write);
    if (in_ready_o)      beat_q  <= in_data_i;
    else if (write)      beat_q  <= beat_q >> 8;
  end

  assign length_o = 16'(pointer_t'(wr_q - kept_q));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wr_q   <= '0;
      kept_q <= '0;
      rd_q   <= '0;
    end else begin
      if (write)         wr_q   <= wr_q + 1'b1;
      if (acknowledge_i) kept_q <= rd_q;
      if (start_i)       rd_q   <= kept_q;
      else if (next_i)   rd_q   <= rd_q + 1'b1;
    end
  end

  logic [7:0] read;
  dfc_ram #(.Width(8), .Depth(Depth), .Style(3)) u_ram (
    .clk_i, .wr_en_i(write), .wr_addr_i(wr_q[AddrBits-1:0]), .wr_data_i(beat_q[7:0]),
    .rd_en_i(1'b1), .rd_addr_i(rd_q[AddrBits-1:0]), .rd_data_o(read)
  );
  always_ff @(posedge clk_i) data_o <= read;

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
