// AXI4-Lite registers of the loopback engine (byte address: meaning).
// 00 control, write 1: start, while it is not busy; read: busy, done, idle  10 program address  18 program bytes  20 error code
// 28 number of the faulty descriptor  30, 38 cycles, low and high  40, 44.. Pe, Simd, ActWords, WeightWords, AccWords, TreeLevels, TreeBanks, WeightBits, BusBits, ScaleBits, RootBits, ListWords, CodeBits, ActBits, Pixels, RepeatBits
module dfc_lb_registers #(
  parameter int unsigned Pe          = 4,
  parameter int unsigned Simd        = 16,
  parameter int unsigned ActWords    = 1024,
  parameter int unsigned WeightWords = 64,
  parameter int unsigned AccWords    = 16,
  parameter int unsigned TreeLevels  = 4,
  parameter int unsigned TreeBanks   = 2,
  parameter int unsigned WeightBits  = 8,
  parameter int unsigned BusBits     = 64,
  parameter int unsigned ScaleBits   = 0,
  parameter int unsigned RootBits    = 0,
  parameter int unsigned ListWords   = 0,
  parameter int unsigned CodeBits    = 0,
  parameter int unsigned ActBits     = 8,
  parameter int unsigned Pixels      = 1,
  parameter int unsigned RepeatBits  = 0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  aw_addr_i,
  input  logic        aw_valid_i,
  output logic        aw_ready_o,
  input  logic [31:0] w_data_i,
  input  logic        w_valid_i,
  output logic        w_ready_o,
  output logic        b_valid_o,
  input  logic        b_ready_i,
  input  logic [7:0]  ar_addr_i,
  input  logic        ar_valid_i,
  output logic        ar_ready_o,
  output logic [31:0] r_data_o,
  output logic        r_valid_o,
  input  logic        r_ready_i,
  output logic        start_o,
  output logic [31:0] address_o,
  output logic [31:0] bytes_o,
  input  logic        busy_i,
  input  logic        done_i,
  input  logic [3:0]  error_i,
  input  logic [31:0] index_i,
  input  logic [63:0] cycles_i
);
  logic write;
  logic [31:0] value;
  always_comb begin
    unique case (ar_addr_i[7:2])
      6'h00:   value = {29'b0, !busy_i, done_i, busy_i};
      6'h04:   value = address_o;
      6'h06:   value = bytes_o;
      6'h08:   value = {28'b0, error_i};
      6'h0a:   value = index_i;
      6'h0c:   value = cycles_i[31:0];
      6'h0e:   value = cycles_i[63:32];
      6'h10:   value = 32'(Pe);
      6'h11:   value = 32'(Simd);
      6'h12:   value = 32'(ActWords);
      6'h13:   value = 32'(WeightWords);
      6'h14:   value = 32'(AccWords);
      6'h15:   value = 32'(TreeLevels);
      6'h16:   value = 32'(TreeBanks);
      6'h17:   value = 32'(WeightBits);
      6'h18:   value = 32'(BusBits);
      6'h19:   value = 32'(ScaleBits);
      6'h1a:   value = 32'(RootBits);
      6'h1b:   value = 32'(ListWords);
      6'h1c:   value = 32'(CodeBits);
      6'h1d:   value = 32'(ActBits);
      6'h1e:   value = 32'(Pixels);
      6'h1f:   value = 32'(RepeatBits);
      default: value = '0;
    endcase
  end

  dfc_axi_lite u_axi (
    .clk_i, .rst_ni, .aw_valid_i, .aw_ready_o, .w_valid_i, .w_ready_o, .b_valid_o, .b_ready_i, .ar_valid_i, .ar_ready_o,
    .r_data_o, .r_valid_o, .r_ready_i, .write_o(write), .read_data_i(value)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {start_o, address_o, bytes_o} <= '0;
    end else begin
      start_o <= write && aw_addr_i[7:2] == 6'h00 && w_data_i[0];
      if (write && aw_addr_i[7:2] == 6'h04) address_o <= w_data_i;
      if (write && aw_addr_i[7:2] == 6'h06) bytes_o <= w_data_i;
    end
  end
  logic unused_low;
  assign unused_low = ^{aw_addr_i[1:0], ar_addr_i[1:0]};
endmodule
