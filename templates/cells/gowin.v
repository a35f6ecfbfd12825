// Simulation models of Gowin's block RAMs, which Yosys declares without contents, from Gowin's UG285 and as far as synthesis uses them:
// what is not modelled is refused.

// Contents of a block, 64 words of 256 bits, or of 288 where bytes have 9.
`define GOWIN_INITIAL(BITS) \
  parameter [BITS-1:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, \
  parameter [BITS-1:0] INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0, INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0, \
  parameter [BITS-1:0] INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0, INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, \
  parameter [BITS-1:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0, \
  parameter [BITS-1:0] INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0, INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, \
  parameter [BITS-1:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, \
  parameter [BITS-1:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0, INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0, \
  parameter [BITS-1:0] INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0
`define GOWIN_CONTENTS { \
  INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38, \
  INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30, \
  INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, \
  INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, \
  INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, \
  INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, \
  INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08, \
  INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00 }

// Block RAM of 2,048 bytes of 8 or 9 bits with two ports, each of 1, 2, 4 bits or of 1, 2, 4 bytes.
// Write: 0 a port's output stays while it writes, 1 it gives the new word, 2 the old one.
module gowin_block #(
  parameter integer Byte = 8,
  parameter integer WidthA = 8,
  parameter integer WidthB = 8,
  parameter integer WriteA = 0,
  parameter integer WriteB = 0,
  parameter Reset = "SYNC",
  parameter [2048*Byte-1:0] Contents = 0
) (
  input CLKA, CEA, WREA, RESETA,
  input [13:0] ADA,
  input [4*Byte-1:0] DIA,
  output reg [4*Byte-1:0] DOA,
  input CLKB, CEB, WREB, RESETB,
  input [13:0] ADB,
  input [4*Byte-1:0] DIB,
  output reg [4*Byte-1:0] DOB
);
  reg [Byte-1:0] bytes [0:2047];
  initial begin
    for (int i = 0; i < 2048; i++) bytes[i] = Contents[Byte * i +: Byte];
    DOA = 0;
    DOB = 0;
  end
  always @* if (Reset != "SYNC" && (RESETA || RESETB)) $fatal(1, "block RAM: asynchronous reset is not modelled");

  function automatic [4*Byte-1:0] looked_up(input integer width, input [13:0] address);
    looked_up = 0;
    if (width < Byte) begin
      for (int i = 0; i < width; i++) looked_up[i] = bytes[address[13:3]][(int'(address[2:0]) & ~(width - 1)) + i];
    end else begin
      for (int i = 0; i < width / Byte; i++) looked_up[Byte * i +: Byte] = bytes[(int'(address[13:3]) & ~(width / Byte - 1)) + i];
    end
  endfunction
  task automatic put(input integer width, input [13:0] address, input [4*Byte-1:0] data);
    if (width < Byte) begin
      for (int i = 0; i < width; i++) bytes[address[13:3]][(int'(address[2:0]) & ~(width - 1)) + i] = data[i];
    end else begin  // the lowest bits of an address of several bytes enable these
      for (int i = 0; i < width / Byte; i++)
        if (width == Byte || address[i]) bytes[(int'(address[13:3]) & ~(width / Byte - 1)) + i] = data[Byte * i +: Byte];
    end
  endtask

  always @(posedge CLKA) begin
    if (CEA) begin
      if (!WREA || WriteA == 2) DOA <= looked_up(WidthA, ADA);
      if (WREA) begin
        put(WidthA, ADA, DIA);
        if (WriteA == 1) DOA <= looked_up(WidthA, ADA);
      end
    end
    if (RESETA) DOA <= 0;
  end
  always @(posedge CLKB) begin
    if (CEB) begin
      if (!WREB || WriteB == 2) DOB <= looked_up(WidthB, ADB);
      if (WREB) begin
        put(WidthB, ADB, DIB);
        if (WriteB == 1) DOB <= looked_up(WidthB, ADB);
      end
    end
    if (RESETB) DOB <= 0;
  end
endmodule

module SP #(
  parameter READ_MODE = 0,
  parameter WRITE_MODE = 0,
  parameter BIT_WIDTH = 32,
  parameter [2:0] BLK_SEL = 0,
  parameter RESET_MODE = "SYNC",
`GOWIN_INITIAL(256)
) (
  input CLK, CE, OCE, RESET, WRE,
  input [2:0] BLKSEL,
  input [13:0] AD,
  input [31:0] DI,
  output [31:0] DO
);
  if (READ_MODE != 0) $fatal(1, "SP: a register behind the output is not modelled");
  wire [31:0] nothing;
  gowin_block #(
    .Byte(8), .WidthA(BIT_WIDTH), .WriteA(WRITE_MODE), .Reset(RESET_MODE), .Contents(`GOWIN_CONTENTS)
  ) u_block (
    .CLKA(CLK), .CEA(CE && BLKSEL == BLK_SEL), .WREA(WRE), .RESETA(RESET), .ADA(AD), .DIA(DI), .DOA(DO),
    .CLKB(1'b0), .CEB(1'b0), .WREB(1'b0), .RESETB(1'b0), .ADB(14'b0), .DIB(32'b0), .DOB(nothing)
  );
endmodule

module SPX9 #(
  parameter READ_MODE = 0,
  parameter WRITE_MODE = 0,
  parameter BIT_WIDTH = 36,
  parameter [2:0] BLK_SEL = 0,
  parameter RESET_MODE = "SYNC",
`GOWIN_INITIAL(288)
) (
  input CLK, CE, OCE, RESET, WRE,
  input [2:0] BLKSEL,
  input [13:0] AD,
  input [35:0] DI,
  output [35:0] DO
);
  if (READ_MODE != 0) $fatal(1, "SPX9: a register behind the output is not modelled");
  wire [35:0] nothing;
  gowin_block #(
    .Byte(9), .WidthA(BIT_WIDTH), .WriteA(WRITE_MODE), .Reset(RESET_MODE), .Contents(`GOWIN_CONTENTS)
  ) u_block (
    .CLKA(CLK), .CEA(CE && BLKSEL == BLK_SEL), .WREA(WRE), .RESETA(RESET), .ADA(AD), .DIA(DI), .DOA(DO),
    .CLKB(1'b0), .CEB(1'b0), .WREB(1'b0), .RESETB(1'b0), .ADB(14'b0), .DIB(36'b0), .DOB(nothing)
  );
endmodule

module SDPX9B #(
  parameter READ_MODE = 0,
  parameter BIT_WIDTH_0 = 36,
  parameter BIT_WIDTH_1 = 36,
  parameter [2:0] BLK_SEL_0 = 0,
  parameter [2:0] BLK_SEL_1 = 0,
  parameter RESET_MODE = "SYNC",
`GOWIN_INITIAL(288)
) (
  input CLKA, CEA, RESETA, CLKB, CEB, RESETB, OCE,
  input [2:0] BLKSELA, BLKSELB,
  input [13:0] ADA, ADB,
  input [35:0] DI,
  output [35:0] DO
);
  if (READ_MODE != 0) $fatal(1, "SDPX9B: a register behind the output is not modelled");
  wire [35:0] nothing;
  gowin_block #(
    .Byte(9), .WidthA(BIT_WIDTH_0), .WidthB(BIT_WIDTH_1), .Reset(RESET_MODE), .Contents(`GOWIN_CONTENTS)
  ) u_block (
    .CLKA(CLKA), .CEA(CEA && BLKSELA == BLK_SEL_0), .WREA(1'b1), .RESETA(RESETA), .ADA(ADA), .DIA(DI), .DOA(nothing),
    .CLKB(CLKB), .CEB(CEB && BLKSELB == BLK_SEL_1), .WREB(1'b0), .RESETB(RESETB), .ADB(ADB), .DIB(36'b0), .DOB(DO)
  );
endmodule

module DPB #(
  parameter READ_MODE0 = 0,
  parameter READ_MODE1 = 0,
  parameter WRITE_MODE0 = 0,
  parameter WRITE_MODE1 = 0,
  parameter BIT_WIDTH_0 = 16,
  parameter BIT_WIDTH_1 = 16,
  parameter [2:0] BLK_SEL_0 = 0,
  parameter [2:0] BLK_SEL_1 = 0,
  parameter RESET_MODE = "SYNC",
`GOWIN_INITIAL(256)
) (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
  input [2:0] BLKSELA, BLKSELB,
  input [13:0] ADA, ADB,
  input [15:0] DIA, DIB,
  output [15:0] DOA, DOB
);
  if (READ_MODE0 != 0 || READ_MODE1 != 0) $fatal(1, "DPB: a register behind the output is not modelled");
  wire [15:0] above_a, above_b;
  gowin_block #(
    .Byte(8), .WidthA(BIT_WIDTH_0), .WidthB(BIT_WIDTH_1), .WriteA(WRITE_MODE0), .WriteB(WRITE_MODE1), .Reset(RESET_MODE),
    .Contents(`GOWIN_CONTENTS)
  ) u_block (
    .CLKA(CLKA), .CEA(CEA && BLKSELA == BLK_SEL_0), .WREA(WREA), .RESETA(RESETA), .ADA(ADA), .DIA({16'b0, DIA}), .DOA({above_a, DOA}),
    .CLKB(CLKB), .CEB(CEB && BLKSELB == BLK_SEL_1), .WREB(WREB), .RESETB(RESETB), .ADB(ADB), .DIB({16'b0, DIB}), .DOB({above_b, DOB})
  );
endmodule

module DPX9B #(
  parameter READ_MODE0 = 0,
  parameter READ_MODE1 = 0,
  parameter WRITE_MODE0 = 0,
  parameter WRITE_MODE1 = 0,
  parameter BIT_WIDTH_0 = 18,
  parameter BIT_WIDTH_1 = 18,
  parameter [2:0] BLK_SEL_0 = 0,
  parameter [2:0] BLK_SEL_1 = 0,
  parameter RESET_MODE = "SYNC",
`GOWIN_INITIAL(288)
) (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
  input [2:0] BLKSELA, BLKSELB,
  input [13:0] ADA, ADB,
  input [17:0] DIA, DIB,
  output [17:0] DOA, DOB
);
  if (READ_MODE0 != 0 || READ_MODE1 != 0) $fatal(1, "DPX9B: a register behind the output is not modelled");
  wire [17:0] above_a, above_b;
  gowin_block #(
    .Byte(9), .WidthA(BIT_WIDTH_0), .WidthB(BIT_WIDTH_1), .WriteA(WRITE_MODE0), .WriteB(WRITE_MODE1), .Reset(RESET_MODE),
    .Contents(`GOWIN_CONTENTS)
  ) u_block (
    .CLKA(CLKA), .CEA(CEA && BLKSELA == BLK_SEL_0), .WREA(WREA), .RESETA(RESETA), .ADA(ADA), .DIA({18'b0, DIA}), .DOA({above_a, DOA}),
    .CLKB(CLKB), .CEB(CEB && BLKSELB == BLK_SEL_1), .WREB(WREB), .RESETB(RESETB), .ADB(ADB), .DIB({18'b0, DIB}), .DOB({above_b, DOB})
  );
endmodule
