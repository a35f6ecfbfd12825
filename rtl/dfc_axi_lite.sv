// Handshakes of an AXI4-Lite subordinate of 32-bit words: one write and one read at a time, writes of whole words.
// write_o is high for one cycle, in which address and data are those of the write; read_data_i is the word at the address of the read.
module dfc_axi_lite (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        aw_valid_i,
  output logic        aw_ready_o,
  input  logic        w_valid_i,
  output logic        w_ready_o,
  output logic        b_valid_o,
  input  logic        b_ready_i,
  input  logic        ar_valid_i,
  output logic        ar_ready_o,
  output logic [31:0] r_data_o,
  output logic        r_valid_o,
  input  logic        r_ready_i,
  output logic        write_o,
  input  logic [31:0] read_data_i
);
  assign write_o    = aw_valid_i && w_valid_i && !b_valid_o;
  assign aw_ready_o = write_o;
  assign w_ready_o  = write_o;
  assign ar_ready_o = !r_valid_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {b_valid_o, r_valid_o} <= '0;
    end else begin
      b_valid_o <= write_o || (b_valid_o && !b_ready_i);
      r_valid_o <= (ar_valid_i && ar_ready_o) || (r_valid_o && !r_ready_i);
    end
    if (ar_valid_i && ar_ready_o) r_data_o <= read_data_i;
  end
endmodule
