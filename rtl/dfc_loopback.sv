// Loopback engine: runs a network layer by layer, as a program in external memory says. See docs/loopback.md.
// Two AXI4 masters (the program; activations, weights and thresholds) and AXI4-Lite registers.
`include "dfc_lb_descriptor.svh"
module dfc_loopback #(
  parameter int unsigned Pe          = 4,
  parameter int unsigned Simd        = 16,
  parameter int unsigned ActWords    = 1024,
  parameter int unsigned WeightWords = 64,
  parameter int unsigned AccWords    = 16,
  parameter int unsigned TreeLevels  = 4,
  parameter int unsigned TreeBanks   = 2,
  parameter int unsigned WeightBits  = 8,
  parameter int unsigned AccBits     = 32,
  parameter int unsigned ScaleBits   = 0,
  parameter int unsigned RootBits    = 0,
  parameter int unsigned ListWords   = 0,
  parameter int unsigned CodeBits    = 0,
  parameter int unsigned ActBits     = 8,
  parameter int unsigned RepeatBits  = 0,
  parameter int unsigned DspRows     = 0,
  parameter int unsigned Block       = 0,
  parameter int unsigned ActStyle    = 0,
  parameter int unsigned Pixels      = 1,
  parameter int unsigned BusBits     = 64,
  parameter int unsigned Timeout     = 65536
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic [7:0]           s_axi_control_awaddr,
  input  logic [2:0]           s_axi_control_awprot,
  input  logic                 s_axi_control_awvalid,
  output logic                 s_axi_control_awready,
  input  logic [31:0]          s_axi_control_wdata,
  input  logic [3:0]           s_axi_control_wstrb,
  input  logic                 s_axi_control_wvalid,
  output logic                 s_axi_control_wready,
  output logic [1:0]           s_axi_control_bresp,
  output logic                 s_axi_control_bvalid,
  input  logic                 s_axi_control_bready,
  input  logic [7:0]           s_axi_control_araddr,
  input  logic [2:0]           s_axi_control_arprot,
  input  logic                 s_axi_control_arvalid,
  output logic                 s_axi_control_arready,
  output logic [31:0]          s_axi_control_rdata,
  output logic [1:0]           s_axi_control_rresp,
  output logic                 s_axi_control_rvalid,
  input  logic                 s_axi_control_rready,
  output logic [0:0]           m_axi_program_arid,
  output logic [31:0]          m_axi_program_araddr,
  output logic [7:0]           m_axi_program_arlen,
  output logic [2:0]           m_axi_program_arsize,
  output logic [1:0]           m_axi_program_arburst,
  output logic                 m_axi_program_arvalid,
  input  logic                 m_axi_program_arready,
  input  logic [0:0]           m_axi_program_rid,
  input  logic [BusBits-1:0]   m_axi_program_rdata,
  input  logic [1:0]           m_axi_program_rresp,
  input  logic                 m_axi_program_rlast,
  input  logic                 m_axi_program_rvalid,
  output logic                 m_axi_program_rready,
  output logic [0:0]           m_axi_data_arid,
  output logic [31:0]          m_axi_data_araddr,
  output logic [7:0]           m_axi_data_arlen,
  output logic [2:0]           m_axi_data_arsize,
  output logic [1:0]           m_axi_data_arburst,
  output logic                 m_axi_data_arvalid,
  input  logic                 m_axi_data_arready,
  input  logic [0:0]           m_axi_data_rid,
  input  logic [BusBits-1:0]   m_axi_data_rdata,
  input  logic [1:0]           m_axi_data_rresp,
  input  logic                 m_axi_data_rlast,
  input  logic                 m_axi_data_rvalid,
  output logic                 m_axi_data_rready,
  output logic [0:0]           m_axi_data_awid,
  output logic [31:0]          m_axi_data_awaddr,
  output logic [7:0]           m_axi_data_awlen,
  output logic [2:0]           m_axi_data_awsize,
  output logic [1:0]           m_axi_data_awburst,
  output logic                 m_axi_data_awvalid,
  input  logic                 m_axi_data_awready,
  output logic [BusBits-1:0]   m_axi_data_wdata,
  output logic [BusBits/8-1:0] m_axi_data_wstrb,
  output logic                 m_axi_data_wlast,
  output logic                 m_axi_data_wvalid,
  input  logic                 m_axi_data_wready,
  input  logic [0:0]           m_axi_data_bid,
  input  logic [1:0]           m_axi_data_bresp,
  input  logic                 m_axi_data_bvalid,
  output logic                 m_axi_data_bready
);
  localparam logic [2:0] Size = 3'($clog2(BusBits / 8));
  logic        start, busy, done;
  logic [3:0]  error;
  logic [31:0] address, bytes, index;
  logic [63:0] cycles;

  dfc_lb_registers #(
    .Pe(Pe), .Simd(Simd), .ActWords(ActWords), .WeightWords(WeightWords), .AccWords(AccWords), .TreeLevels(TreeLevels),
    .TreeBanks(TreeBanks), .WeightBits(WeightBits), .BusBits(BusBits), .ScaleBits(ScaleBits), .RootBits(RootBits), .ListWords(ListWords),
    .CodeBits(CodeBits), .ActBits(ActBits), .RepeatBits(RepeatBits), .Pixels(Pixels)
  ) u_registers (
    .clk_i, .rst_ni,
    .aw_addr_i(s_axi_control_awaddr), .aw_valid_i(s_axi_control_awvalid), .aw_ready_o(s_axi_control_awready),
    .w_data_i(s_axi_control_wdata), .w_valid_i(s_axi_control_wvalid), .w_ready_o(s_axi_control_wready),
    .b_valid_o(s_axi_control_bvalid), .b_ready_i(s_axi_control_bready),
    .ar_addr_i(s_axi_control_araddr), .ar_valid_i(s_axi_control_arvalid), .ar_ready_o(s_axi_control_arready),
    .r_data_o(s_axi_control_rdata), .r_valid_o(s_axi_control_rvalid), .r_ready_i(s_axi_control_rready),
    .start_o(start), .address_o(address), .bytes_o(bytes), .busy_i(busy), .done_i(done), .error_i(error), .index_i(index), .cycles_i(cycles)
  );

  dfc_lb_engine #(
    .Pe(Pe), .Simd(Simd), .ActWords(ActWords), .WeightWords(WeightWords), .AccWords(AccWords), .TreeLevels(TreeLevels),
    .TreeBanks(TreeBanks), .WeightBits(WeightBits), .AccBits(AccBits), .ScaleBits(ScaleBits), .RootBits(RootBits), .ListWords(ListWords),
    .CodeBits(CodeBits), .ActBits(ActBits), .RepeatBits(RepeatBits), .DspRows(DspRows), .Block(Block), .ActStyle(ActStyle), .Pixels(Pixels), .BusBits(BusBits), .Timeout(Timeout)
  ) u_engine (
    .clk_i, .rst_ni, .start_i(start), .address_i(address), .bytes_i(bytes), .busy_o(busy), .done_o(done), .error_o(error),
    .index_o(index), .cycles_o(cycles),
    .program_ar_valid_o(m_axi_program_arvalid), .program_ar_ready_i(m_axi_program_arready),
    .program_ar_addr_o(m_axi_program_araddr), .program_ar_len_o(m_axi_program_arlen),
    .program_r_valid_i(m_axi_program_rvalid), .program_r_ready_o(m_axi_program_rready),
    .program_r_data_i(m_axi_program_rdata), .program_r_resp_i(m_axi_program_rresp),
    .ar_valid_o(m_axi_data_arvalid), .ar_ready_i(m_axi_data_arready), .ar_addr_o(m_axi_data_araddr), .ar_len_o(m_axi_data_arlen),
    .r_valid_i(m_axi_data_rvalid), .r_ready_o(m_axi_data_rready), .r_data_i(m_axi_data_rdata), .r_resp_i(m_axi_data_rresp),
    .aw_valid_o(m_axi_data_awvalid), .aw_ready_i(m_axi_data_awready), .aw_addr_o(m_axi_data_awaddr), .aw_len_o(m_axi_data_awlen),
    .w_valid_o(m_axi_data_wvalid), .w_ready_i(m_axi_data_wready), .w_data_o(m_axi_data_wdata), .w_last_o(m_axi_data_wlast),
    .b_valid_i(m_axi_data_bvalid), .b_ready_o(m_axi_data_bready), .b_resp_i(m_axi_data_bresp)
  );

  assign s_axi_control_bresp = 2'b00;
  assign s_axi_control_rresp = 2'b00;
  assign {m_axi_program_arid, m_axi_program_arsize, m_axi_program_arburst} = {1'b0, Size, 2'b01};
  assign {m_axi_data_arid, m_axi_data_arsize, m_axi_data_arburst}          = {1'b0, Size, 2'b01};
  assign {m_axi_data_awid, m_axi_data_awsize, m_axi_data_awburst}          = {1'b0, Size, 2'b01};
  assign m_axi_data_wstrb = '1;
  logic unused_axi;
  assign unused_axi = ^{s_axi_control_awprot, s_axi_control_arprot, s_axi_control_wstrb, m_axi_program_rid, m_axi_program_rlast,
                        m_axi_data_rid, m_axi_data_rlast, m_axi_data_bid};
endmodule
