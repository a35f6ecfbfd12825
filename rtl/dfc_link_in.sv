// An input port behind a host link: bytes that came in packets to beats of Bytes bytes, the first byte lowest.
// Bytes of a packet count only once it is committed; cancelled, they were never there. Depth: bytes of the buffer, a power of two.
`include "dfc_assert.svh"
module dfc_link_in #(
  parameter int unsigned Bytes = 1,
  parameter int unsigned Depth = 512
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [7:0]         data_i,
  input  logic               write_i,   // only while there is room
  input  logic               commit_i,
  input  logic               cancel_i,
  output logic               room_o,    // for another byte
  output logic [15:0]        free_o,    // bytes, but for those of the present packet
  output logic [8*Bytes-1:0] out_data_o,
  output logic               out_valid_o,
  input  logic               out_ready_i
);
  localparam int unsigned AddrBits = $clog2(Depth);
  typedef logic [AddrBits:0] pointer_t;

  if (Bytes < 1 || Depth < 2 || Depth > 32768 || (1 << AddrBits) != Depth) begin : gen_check
    $fatal(1, "dfc_link_in: Bytes must be at least 1, Depth a power of two from 2 to 32768");
  end

  pointer_t wr_q, commit_q, rd_q;
  logic fetch, have_q, take;
  assign room_o = pointer_t'(wr_q - rd_q) != pointer_t'(Depth);
  assign free_o = 16'(Depth) - 16'(pointer_t'(commit_q - rd_q));
  assign fetch  = !have_q && rd_q != commit_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wr_q     <= '0;
      commit_q <= '0;
      rd_q     <= '0;
      have_q   <= 1'b0;
    end else begin
      if (cancel_i)     wr_q <= commit_q;
      else if (write_i) wr_q <= wr_q + 1'b1;
      if (commit_i)     commit_q <= wr_q;
      if (fetch)        rd_q <= rd_q + 1'b1;
      have_q <= fetch || (have_q && !take);
    end
  end

  logic [7:0] read;
  dfc_ram #(.Width(8), .Depth(Depth), .Style(3)) u_ram (
    .clk_i, .wr_en_i(write_i), .wr_addr_i(wr_q[AddrBits-1:0]), .wr_data_i(data_i),
    .rd_en_i(fetch), .rd_addr_i(rd_q[AddrBits-1:0]), .rd_data_o(read)
  );

  if (Bytes == 1) begin : gen_byte
    assign out_data_o  = read;
    assign out_valid_o = have_q;
    assign take        = out_ready_i;
  end else begin : gen_bytes
    localparam int unsigned CountBits = $clog2(Bytes + 1);
    logic [8*Bytes-1:0]   beat_q;
    logic [CountBits-1:0] count_q;
    assign out_valid_o = count_q == CountBits'(Bytes);
    assign out_data_o  = beat_q;
    assign take        = !out_valid_o;
    always_ff @(posedge clk_i) begin
      if (!rst_ni)              count_q <= '0;
      else if (out_valid_o)     count_q <= out_ready_i ? '0 : count_q;
      else                      count_q <= count_q + CountBits'(have_q);
      if (have_q && take) beat_q <= {read, beat_q[8*Bytes-1:8]};
    end
  end

  `DFC_STREAM_STABLE(out_valid_o, out_ready_i, out_data_o)
  `DFC_ALWAYS(!write_i || room_o)
endmodule
