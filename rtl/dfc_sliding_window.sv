// Window generator: reads windows, with padding, stride, dilation and zero stuffing, out of a circular line buffer.
// Latency 1 cycle after the word is written; interval max(words in, words out) cycles, no bubble between rows or frames.
`include "dfc_assert.svh"
module dfc_sliding_window #(
  parameter int unsigned Height = 4,
  parameter int unsigned Width = 4,
  parameter int unsigned Channels = 1,
  parameter int unsigned KernelH = 3,
  parameter int unsigned KernelW = 3,
  parameter int unsigned StrideH = 1,
  parameter int unsigned StrideW = 1,
  parameter int unsigned DilationH = 1,
  parameter int unsigned DilationW = 1,
  parameter int unsigned StuffH = 1,  // rows that a row takes in the picture, the others are padding
  parameter int unsigned StuffW = 1,
  parameter int unsigned PadTop = 0,
  parameter int unsigned PadLeft = 0,
  parameter int unsigned CropTop = 0,
  parameter int unsigned CropLeft = 0,
  parameter int unsigned OutHeight = 2,
  parameter int unsigned OutWidth = 2,
  parameter int unsigned Groups = 1,  // a window is sent group by group of channels
  parameter int unsigned Simd = 1,
  parameter int unsigned InBits = 8,
  parameter int unsigned InSigned = 0,
  parameter int unsigned InBipolar = 0,
  parameter int unsigned OutBits = 8,
  parameter int unsigned OutBipolar = 0,
  parameter int unsigned PadValue = 0,
  parameter int unsigned Depth = 16,
  parameter int unsigned RamStyle = 0
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic [Simd*InBits-1:0]  in_data_i,
  input  logic                    in_valid_i,
  output logic                    in_ready_o,
  output logic [Simd*OutBits-1:0] out_data_o,
  output logic                    out_valid_o,
  input  logic                    out_ready_i
);
  if (Simd < 1 || Groups < 1 || Channels < Groups) begin : gen_check_simd
    $fatal(1, "dfc_sliding_window: Simd and Groups must be at least 1, Groups at most Channels");
  end
  if (OutBits < InBits || (InBipolar != 0 && OutBipolar == 0 && OutBits < 2)) begin : gen_check_bits
    $fatal(1, "dfc_sliding_window: the output type must hold the input type");
  end
  if (StuffH < 1 || StuffW < 1 || KernelH < 1 || KernelW < 1 || OutHeight < 1 || OutWidth < 1 || Depth < 1) begin : gen_check_shape
    $fatal(1, "dfc_sliding_window: kernel, stuffing, output and Depth must be at least 1");
  end

  localparam int unsigned Fold  = Groups * ((Channels + Groups * Simd - 1) / (Groups * Simd));  // the last word of a group may be padded
  localparam int unsigned Words = Height * Width * Fold;
  localparam int OriginY = int'(CropTop) - int'(PadTop);
  localparam int OriginX = int'(CropLeft) - int'(PadLeft);
  // Word numbers: the writer stays within a frame, the cropped words and the line buffer; the windows within their reach.
  localparam int unsigned Row = Width * Fold;
  localparam int unsigned Ahead = Words + CropTop * Row + CropLeft * Fold;
  localparam int unsigned Reach = (OutHeight * StrideH + KernelH * DilationH + CropTop) * Row
                                + (OutWidth * StrideW + KernelW * DilationW + CropLeft) * Fold;
  localparam int unsigned IndexBits = $clog2((Ahead > Reach ? Ahead : Reach) + Depth + 1) + 1;
  localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1;
  typedef logic [AddrBits-1:0] addr_t;

  // The writer.
  addr_t wr_addr_q;
  logic  push, step, wr_last;
  assign push = in_valid_i && in_ready_o;
  dfc_counter #(.Count(Depth)) u_write (.clk_i, .rst_ni, .step_i(push), .value_o(wr_addr_q), .last_o(wr_last));
  logic unused_last;
  assign unused_last = wr_last;

  // The reader: its step loads the output register, which is the read port's own.
  addr_t  rd_addr;
  logic   written, real_tap, valid_q, pad_q;
  assign step = written && (!valid_q || out_ready_i);
  dfc_window_walk #(
    .Height(Height), .Width(Width), .Fold(Fold), .KernelH(KernelH), .KernelW(KernelW), .StrideH(StrideH), .StrideW(StrideW),
    .DilationH(DilationH), .DilationW(DilationW), .StuffH(StuffH), .StuffW(StuffW), .OriginY(OriginY), .OriginX(OriginX),
    .OutHeight(OutHeight), .OutWidth(OutWidth), .Groups(Groups), .Depth(Depth), .IndexBits(IndexBits)
  ) u_walk (
    .clk_i, .rst_ni, .step_i(step), .push_i(push), .written_o(written), .real_o(real_tap), .addr_o(rd_addr), .ready_o(in_ready_o)
  );
  always_ff @(posedge clk_i) begin
    if (!rst_ni)          valid_q <= 1'b0;
    else if (step)        valid_q <= 1'b1;
    else if (out_ready_i) valid_q <= 1'b0;
  end
  always_ff @(posedge clk_i) if (step) pad_q <= !real_tap;

  logic [Simd*InBits-1:0] word;
  dfc_ram #(.Width(Simd * InBits), .Depth(Depth), .Style(RamStyle)) u_buffer (
    .clk_i, .wr_en_i(push), .wr_addr_i(wr_addr_q), .wr_data_i(in_data_i), .rd_en_i(step), .rd_addr_i(rd_addr), .rd_data_o(word)
  );

  logic [Simd*OutBits-1:0] wide;
  dfc_extend #(.Lanes(Simd), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .OutBits(OutBits), .OutBipolar(OutBipolar))
    u_extend (.in_i(word), .out_o(wide));
  assign out_data_o  = pad_q ? {Simd{OutBits'(PadValue)}} : wide;
  assign out_valid_o = valid_q;

  `DFC_STREAM_STABLE(out_valid_o, out_ready_i, out_data_o)
endmodule
