// Simulation models of AMD cells that Yosys declares without contents, from AMD's documents (UG473, UG573, UG579) and as far as
// synthesis uses them: what is not modelled is refused.

`define DFC_INIT_18 parameter [255:0] INIT_00 = 0, INIT_01 = 0, INIT_02 = 0, INIT_03 = 0, INIT_04 = 0, INIT_05 = 0, INIT_06 = 0, \
  INIT_07 = 0, INIT_08 = 0, INIT_09 = 0, INIT_0A = 0, INIT_0B = 0, INIT_0C = 0, INIT_0D = 0, \
  INIT_0E = 0, INIT_0F = 0, INIT_10 = 0, INIT_11 = 0, INIT_12 = 0, INIT_13 = 0, INIT_14 = 0, \
  INIT_15 = 0, INIT_16 = 0, INIT_17 = 0, INIT_18 = 0, INIT_19 = 0, INIT_1A = 0, INIT_1B = 0, \
  INIT_1C = 0, INIT_1D = 0, INIT_1E = 0, INIT_1F = 0, INIT_20 = 0, INIT_21 = 0, INIT_22 = 0, \
  INIT_23 = 0, INIT_24 = 0, INIT_25 = 0, INIT_26 = 0, INIT_27 = 0, INIT_28 = 0, INIT_29 = 0, \
  INIT_2A = 0, INIT_2B = 0, INIT_2C = 0, INIT_2D = 0, INIT_2E = 0, INIT_2F = 0, INIT_30 = 0, \
  INIT_31 = 0, INIT_32 = 0, INIT_33 = 0, INIT_34 = 0, INIT_35 = 0, INIT_36 = 0, INIT_37 = 0, \
  INIT_38 = 0, INIT_39 = 0, INIT_3A = 0, INIT_3B = 0, INIT_3C = 0, INIT_3D = 0, INIT_3E = 0, \
  INIT_3F = 0, \
  INITP_00 = 0, INITP_01 = 0, INITP_02 = 0, INITP_03 = 0, INITP_04 = 0, INITP_05 = 0, INITP_06 = 0, \
  INITP_07 = 0
`define DFC_INIT_36 `DFC_INIT_18, \
  INIT_40 = 0, INIT_41 = 0, INIT_42 = 0, INIT_43 = 0, INIT_44 = 0, INIT_45 = 0, INIT_46 = 0, \
  INIT_47 = 0, INIT_48 = 0, INIT_49 = 0, INIT_4A = 0, INIT_4B = 0, INIT_4C = 0, INIT_4D = 0, \
  INIT_4E = 0, INIT_4F = 0, INIT_50 = 0, INIT_51 = 0, INIT_52 = 0, INIT_53 = 0, INIT_54 = 0, \
  INIT_55 = 0, INIT_56 = 0, INIT_57 = 0, INIT_58 = 0, INIT_59 = 0, INIT_5A = 0, INIT_5B = 0, \
  INIT_5C = 0, INIT_5D = 0, INIT_5E = 0, INIT_5F = 0, INIT_60 = 0, INIT_61 = 0, INIT_62 = 0, \
  INIT_63 = 0, INIT_64 = 0, INIT_65 = 0, INIT_66 = 0, INIT_67 = 0, INIT_68 = 0, INIT_69 = 0, \
  INIT_6A = 0, INIT_6B = 0, INIT_6C = 0, INIT_6D = 0, INIT_6E = 0, INIT_6F = 0, INIT_70 = 0, \
  INIT_71 = 0, INIT_72 = 0, INIT_73 = 0, INIT_74 = 0, INIT_75 = 0, INIT_76 = 0, INIT_77 = 0, \
  INIT_78 = 0, INIT_79 = 0, INIT_7A = 0, INIT_7B = 0, INIT_7C = 0, INIT_7D = 0, INIT_7E = 0, \
  INIT_7F = 0, \
  INITP_08 = 0, INITP_09 = 0, INITP_0A = 0, INITP_0B = 0, INITP_0C = 0, INITP_0D = 0, INITP_0E = 0, \
  INITP_0F = 0
`define DFC_DATA_18 {INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38, INIT_37, INIT_36, \
  INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30, INIT_2F, INIT_2E, INIT_2D, INIT_2C, \
  INIT_2B, INIT_2A, INIT_29, INIT_28, INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, \
  INIT_21, INIT_20, INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18, \
  INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10, INIT_0F, INIT_0E, \
  INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08, INIT_07, INIT_06, INIT_05, INIT_04, \
  INIT_03, INIT_02, INIT_01, INIT_00}
`define DFC_PARITY_18 {INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00}
`define DFC_DATA_36 {INIT_7F, INIT_7E, INIT_7D, INIT_7C, INIT_7B, INIT_7A, INIT_79, INIT_78, INIT_77, INIT_76, \
  INIT_75, INIT_74, INIT_73, INIT_72, INIT_71, INIT_70, INIT_6F, INIT_6E, INIT_6D, INIT_6C, \
  INIT_6B, INIT_6A, INIT_69, INIT_68, INIT_67, INIT_66, INIT_65, INIT_64, INIT_63, INIT_62, \
  INIT_61, INIT_60, INIT_5F, INIT_5E, INIT_5D, INIT_5C, INIT_5B, INIT_5A, INIT_59, INIT_58, \
  INIT_57, INIT_56, INIT_55, INIT_54, INIT_53, INIT_52, INIT_51, INIT_50, INIT_4F, INIT_4E, \
  INIT_4D, INIT_4C, INIT_4B, INIT_4A, INIT_49, INIT_48, INIT_47, INIT_46, INIT_45, INIT_44, \
  INIT_43, INIT_42, INIT_41, INIT_40, INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, \
  INIT_39, INIT_38, INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30, \
  INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28, INIT_27, INIT_26, \
  INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20, INIT_1F, INIT_1E, INIT_1D, INIT_1C, \
  INIT_1B, INIT_1A, INIT_19, INIT_18, INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, \
  INIT_11, INIT_10, INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08, \
  INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00}
`define DFC_PARITY_36 {INITP_0F, INITP_0E, INITP_0D, INITP_0C, INITP_0B, INITP_0A, INITP_09, INITP_08, INITP_07, INITP_06, \
  INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00}
`define DFC_INVERTED \
  parameter [0:0] IS_CLKARDCLK_INVERTED = 0, IS_CLKBWRCLK_INVERTED = 0, IS_ENARDEN_INVERTED = 0, IS_ENBWREN_INVERTED = 0, \
  IS_RSTRAMARSTRAM_INVERTED = 0, IS_RSTRAMB_INVERTED = 0, IS_RSTREGARSTREG_INVERTED = 0, IS_RSTREGB_INVERTED = 0
`define DFC_MODES \
  parameter integer DOA_REG = 0, DOB_REG = 0, READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0, \
  parameter INIT_FILE = "NONE", RSTREG_PRIORITY_A = "RSTREG", RSTREG_PRIORITY_B = "RSTREG", SIM_COLLISION_CHECK = "ALL"
`define DFC_UNMODELLED \
  (DOA_REG != 0 || DOB_REG != 0 || INIT_FILE != "NONE" || IS_CLKARDCLK_INVERTED || IS_CLKBWRCLK_INVERTED)
`define DFC_ENABLES \
  .clock_a(CLKARDCLK), .clock_b(CLKBWRCLK), \
  .enable_a(ENARDEN ^ IS_ENARDEN_INVERTED), .enable_b(ENBWREN ^ IS_ENBWREN_INVERTED), \
  .reset_a(RSTRAMARSTRAM ^ IS_RSTRAMARSTRAM_INVERTED), .reset_b(RSTRAMB ^ IS_RSTRAMB_INVERTED)
`define DFC_WIDTHS \
  .ReadA(READ_WIDTH_A), .ReadB(READ_WIDTH_B), .WriteA(WRITE_WIDTH_A), .WriteB(WRITE_WIDTH_B), \
  .ModeA(WRITE_MODE_A), .ModeB(WRITE_MODE_B), .StartA(INIT_A), .StartB(INIT_B), .ResetA(SRVAL_A), .ResetB(SRVAL_B)

// What the block RAMs have in common: bytes with a ninth bit each and two ports, each of 1, 2, 4, 9, 18 or 36 bits; or of twice the
// widest of the cell, where port A reads and port B writes the whole. Addresses count bits without the ninth ones.
module dfc_block_ram #(
  parameter integer Bytes = 2048, ReadA = 0, ReadB = 0, WriteA = 0, WriteB = 0,
  parameter ModeA = "WRITE_FIRST", ModeB = "WRITE_FIRST",
  parameter [35:0] StartA = 0, StartB = 0, ResetA = 0, ResetB = 0,
  parameter [8*Bytes-1:0] Data = 0,
  parameter [Bytes-1:0] Parity = 0
) (
  input clock_a, clock_b, enable_a, enable_b, reset_a, reset_b,
  input [14:0] address_a, address_b,
  input [31:0] in_a, in_b,
  input [3:0] in_parity_a, in_parity_b,
  input [3:0] write_a,
  input [7:0] write_b,
  output [31:0] out_a, out_b,
  output [3:0] out_parity_a, out_parity_b
);
  localparam integer Half = Bytes == 2048 ? 2 : 4;  // bytes of the widest word of one port
  localparam bit Wide = ReadA == 18 * Half || WriteB == 18 * Half;
  localparam bit [35:0] HalfMask = (36'd1 << 8 * Half) - 1;
  if (Wide && (ReadB != 0 || WriteA != 0)) $fatal(1, "block RAM: a double width leaves no other ports");

  reg [7:0] bytes [0:Bytes-1];
  reg parity [0:Bytes-1];
  reg [71:0] a, b;  // ninth bits above the others
  // A word as the attributes have it: {ninth bits, others} of a width.
  function automatic [71:0] apart(input integer width, input [35:0] word);
    integer bits;
    bits = width < 9 ? width : width / 9 * 8;
    apart = {8'(word >> bits), 64'(word & ((36'd1 << bits) - 1))};
  endfunction
  function automatic [71:0] both(input [35:0] low, input [35:0] high);
    both = {8'(low >> 8 * Half) | 8'(high >> 8 * Half) << Half, 64'(low & HalfMask) | 64'(high & HalfMask) << 8 * Half};
  endfunction
  initial begin
    for (int i = 0; i < Bytes; i++) begin
      bytes[i] = Data[8 * i +: 8];
      parity[i] = Parity[i];
    end
    a = ReadA == 18 * Half ? both(StartA, StartB) : apart(ReadA, StartA);
    b = apart(ReadB, StartB);
  end

  function automatic [71:0] looked_up(input integer width, input [14:0] address);
    integer at;
    looked_up = 0;
    if (width < 9) begin
      looked_up = 72'(bytes[12'(address >> 3)] >> (address[2:0] & ~3'(width - 1))) & ((72'd1 << width) - 1);
    end else begin
      at = (address >> 3) / (width / 9) * (width / 9);
      for (int i = 0; i < width / 9; i++) begin
        looked_up[8 * i +: 8] = bytes[at + i];
        looked_up[64 + i] = parity[at + i];
      end
    end
  endfunction
  task automatic put(input integer width, input [14:0] address, input [63:0] data, input [7:0] ninths, input [7:0] enables);
    integer at;
    if (width < 9) begin
      for (int i = 0; i < width; i++)
        if (enables[0]) bytes[12'(address >> 3)][(address[2:0] & ~3'(width - 1)) + 3'(i)] = data[i];
    end else begin
      at = (address >> 3) / (width / 9) * (width / 9);
      for (int i = 0; i < width / 9; i++) if (enables[i]) begin
        bytes[at + i] = data[8 * i +: 8];
        parity[at + i] = ninths[i];
      end
    end
  endtask

  wire writes_a = WriteA != 0 && write_a != 0;
  wire writes_b = WriteB != 0 && write_b != 0;
  always @(posedge clock_a) if (enable_a) begin
    if (ReadA != 0 && (!writes_a || ModeA == "READ_FIRST")) a <= looked_up(ReadA, address_a);
    if (writes_a) begin
      put(WriteA, address_a, 64'(in_a), 8'(in_parity_a), 8'(write_a));
      if (ReadA != 0 && ModeA == "WRITE_FIRST") a <= looked_up(ReadA, address_a);
    end
    if (reset_a) a <= ReadA == 18 * Half ? both(ResetA, ResetB) : apart(ReadA, ResetA);
  end
  always @(posedge clock_b) if (enable_b) begin
    if (ReadB != 0 && (!writes_b || ModeB == "READ_FIRST")) b <= looked_up(ReadB, address_b);
    if (writes_b) begin
      if (WriteB == 18 * Half) put(WriteB, address_b, 64'(in_b) << 8 * Half | 64'(in_a) & 64'(HalfMask),
                                   8'(in_parity_b) << Half | 8'(in_parity_a) & 8'((1 << Half) - 1), write_b);
      else put(WriteB, address_b, 64'(in_b), 8'(in_parity_b), write_b);
      if (ReadB != 0 && ModeB == "WRITE_FIRST") b <= looked_up(ReadB, address_b);
    end
    if (reset_b) b <= apart(ReadB, ResetB);
  end
  assign out_a = 32'(a[63:0] & 64'(ReadA == 18 * Half ? HalfMask : 36'hffffffff));
  assign out_parity_a = ReadA == 18 * Half ? a[67:64] & 4'((1 << Half) - 1) : a[67:64];
  assign out_b = ReadA == 18 * Half ? 32'(a[63:0] >> 8 * Half) : b[31:0];
  assign out_parity_b = ReadA == 18 * Half ? 4'(a[71:64] >> Half) : b[67:64];
endmodule

module RAMB18E1 #(
  parameter RAM_MODE = "TDP", SIM_DEVICE = "7SERIES", RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE",
  parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
  parameter [17:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0,
  `DFC_MODES, `DFC_INVERTED, `DFC_INIT_18
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG,
  input RSTREGB,
  input [13:0] ADDRARDADDR, ADDRBWRADDR,
  input [15:0] DIADI, DIBDI,
  input [1:0] DIPADIP, DIPBDIP,
  input [1:0] WEA,
  input [3:0] WEBWE,
  output [15:0] DOADO, DOBDO,
  output [1:0] DOPADOP, DOPBDOP
);
  if (`DFC_UNMODELLED)
    $fatal(1, "RAMB18E1: a mode that is not modelled");
  wire [31:0] a, b;
  wire [3:0] parity_a, parity_b;
  dfc_block_ram #(.Bytes(2048), `DFC_WIDTHS, .Data(`DFC_DATA_18), .Parity(`DFC_PARITY_18)) ram (
    `DFC_ENABLES, .address_a(15'(ADDRARDADDR[13:0])), .address_b(15'(ADDRBWRADDR[13:0])), .in_a(32'(DIADI)), .in_b(32'(DIBDI)),
    .in_parity_a(4'(DIPADIP)), .in_parity_b(4'(DIPBDIP)), .write_a(4'(WEA)), .write_b(8'(WEBWE)),
    .out_a(a), .out_b(b), .out_parity_a(parity_a), .out_parity_b(parity_b)
  );
  assign {DOADO, DOBDO} = {a[15:0], b[15:0]};
  assign {DOPADOP, DOPBDOP} = {parity_a[1:0], parity_b[1:0]};
endmodule

module RAMB18E2 #(
  parameter CASCADE_ORDER_A = "NONE", CASCADE_ORDER_B = "NONE", CLOCK_DOMAINS = "INDEPENDENT", ENADDRENA = "FALSE",
  parameter ENADDRENB = "FALSE", RDADDRCHANGEA = "FALSE", RDADDRCHANGEB = "FALSE", SLEEP_ASYNC = "FALSE",
  parameter WRITE_MODE_A = "NO_CHANGE", WRITE_MODE_B = "NO_CHANGE",
  parameter [17:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0,
  `DFC_MODES, `DFC_INVERTED, `DFC_INIT_18
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG,
  input RSTREGB, ADDRENA, ADDRENB, SLEEP,
  input [13:0] ADDRARDADDR, ADDRBWRADDR,
  input [15:0] DINADIN, DINBDIN,
  input [1:0] DINPADINP, DINPBDINP,
  input [1:0] WEA,
  input [3:0] WEBWE,
  output [15:0] DOUTADOUT, DOUTBDOUT,
  output [1:0] DOUTPADOUTP, DOUTPBDOUTP
);
  if (`DFC_UNMODELLED ||
      CASCADE_ORDER_A != "NONE" || CASCADE_ORDER_B != "NONE" || ENADDRENA != "FALSE" || ENADDRENB != "FALSE")
    $fatal(1, "RAMB18E2: a mode that is not modelled");
  wire [31:0] a, b;
  wire [3:0] parity_a, parity_b;
  dfc_block_ram #(.Bytes(2048), `DFC_WIDTHS, .Data(`DFC_DATA_18), .Parity(`DFC_PARITY_18)) ram (
    `DFC_ENABLES, .address_a(15'(ADDRARDADDR[13:0])), .address_b(15'(ADDRBWRADDR[13:0])), .in_a(32'(DINADIN)), .in_b(32'(DINBDIN)),
    .in_parity_a(4'(DINPADINP)), .in_parity_b(4'(DINPBDINP)), .write_a(4'(WEA)), .write_b(8'(WEBWE)),
    .out_a(a), .out_b(b), .out_parity_a(parity_a), .out_parity_b(parity_b)
  );
  assign {DOUTADOUT, DOUTBDOUT} = {a[15:0], b[15:0]};
  assign {DOUTPADOUTP, DOUTPBDOUTP} = {parity_a[1:0], parity_b[1:0]};
endmodule

module RAMB36E1 #(
  parameter RAM_MODE = "TDP", SIM_DEVICE = "7SERIES", RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE",
  parameter RAM_EXTENSION_A = "NONE",
  parameter RAM_EXTENSION_B = "NONE", EN_ECC_READ = "FALSE", EN_ECC_WRITE = "FALSE",
  parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
  parameter [35:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0,
  `DFC_MODES, `DFC_INVERTED, `DFC_INIT_36
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG,
  input RSTREGB,
  input [15:0] ADDRARDADDR, ADDRBWRADDR,
  input [31:0] DIADI, DIBDI,
  input [3:0] DIPADIP, DIPBDIP,
  input [3:0] WEA,
  input [7:0] WEBWE,
  output [31:0] DOADO, DOBDO,
  output [3:0] DOPADOP, DOPBDOP
);
  if (`DFC_UNMODELLED || RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE" || EN_ECC_READ != "FALSE" || EN_ECC_WRITE != "FALSE")
    $fatal(1, "RAMB36E1: a mode that is not modelled");
  wire [31:0] a, b;
  wire [3:0] parity_a, parity_b;
  dfc_block_ram #(.Bytes(4096), `DFC_WIDTHS, .Data(`DFC_DATA_36), .Parity(`DFC_PARITY_36)) ram (
    `DFC_ENABLES, .address_a(15'(ADDRARDADDR[14:0])), .address_b(15'(ADDRBWRADDR[14:0])), .in_a(32'(DIADI)), .in_b(32'(DIBDI)),
    .in_parity_a(4'(DIPADIP)), .in_parity_b(4'(DIPBDIP)), .write_a(4'(WEA)), .write_b(8'(WEBWE)),
    .out_a(a), .out_b(b), .out_parity_a(parity_a), .out_parity_b(parity_b)
  );
  assign {DOADO, DOBDO} = {a[31:0], b[31:0]};
  assign {DOPADOP, DOPBDOP} = {parity_a[3:0], parity_b[3:0]};
endmodule

module RAMB36E2 #(
  parameter CASCADE_ORDER_A = "NONE", CASCADE_ORDER_B = "NONE", CLOCK_DOMAINS = "INDEPENDENT", ENADDRENA = "FALSE",
  parameter ENADDRENB = "FALSE", RDADDRCHANGEA = "FALSE", RDADDRCHANGEB = "FALSE", SLEEP_ASYNC = "FALSE",
  parameter WRITE_MODE_A = "NO_CHANGE", WRITE_MODE_B = "NO_CHANGE",
  parameter [35:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0,
  `DFC_MODES, `DFC_INVERTED, `DFC_INIT_36
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG,
  input RSTREGB, ADDRENA, ADDRENB, SLEEP,
  input [14:0] ADDRARDADDR, ADDRBWRADDR,
  input [31:0] DINADIN, DINBDIN,
  input [3:0] DINPADINP, DINPBDINP,
  input [3:0] WEA,
  input [7:0] WEBWE,
  output [31:0] DOUTADOUT, DOUTBDOUT,
  output [3:0] DOUTPADOUTP, DOUTPBDOUTP
);
  if (`DFC_UNMODELLED ||
      CASCADE_ORDER_A != "NONE" || CASCADE_ORDER_B != "NONE" || ENADDRENA != "FALSE" || ENADDRENB != "FALSE")
    $fatal(1, "RAMB36E2: a mode that is not modelled");
  wire [31:0] a, b;
  wire [3:0] parity_a, parity_b;
  dfc_block_ram #(.Bytes(4096), `DFC_WIDTHS, .Data(`DFC_DATA_36), .Parity(`DFC_PARITY_36)) ram (
    `DFC_ENABLES, .address_a(15'(ADDRARDADDR[14:0])), .address_b(15'(ADDRBWRADDR[14:0])), .in_a(32'(DINADIN)), .in_b(32'(DINBDIN)),
    .in_parity_a(4'(DINPADINP)), .in_parity_b(4'(DINPBDINP)), .write_a(4'(WEA)), .write_b(8'(WEBWE)),
    .out_a(a), .out_b(b), .out_parity_a(parity_a), .out_parity_b(parity_b)
  );
  assign {DOUTADOUT, DOUTBDOUT} = {a[31:0], b[31:0]};
  assign {DOUTPADOUTP, DOUTPBDOUTP} = {parity_a[3:0], parity_b[3:0]};
endmodule

// UltraRAM of 4,096 words of 72 bits, without its output registers: port A goes before port B.
module URAM288 #(
  parameter BWE_MODE_A = "PARITY_INTERLEAVED", BWE_MODE_B = "PARITY_INTERLEAVED", EN_AUTO_SLEEP_MODE = "FALSE",
  parameter IREG_PRE_A = "FALSE", IREG_PRE_B = "FALSE", OREG_A = "FALSE", OREG_B = "FALSE", RST_MODE_A = "SYNC", RST_MODE_B = "SYNC",
  parameter CASCADE_ORDER_A = "NONE", CASCADE_ORDER_B = "NONE",
  parameter [0:0] IS_CLK_INVERTED = 0
) (
  input CLK, SLEEP, EN_A, EN_B, RDB_WR_A, RDB_WR_B, RST_A, RST_B,
  input INJECT_DBITERR_A, INJECT_SBITERR_A, INJECT_DBITERR_B, INJECT_SBITERR_B,
  input [22:0] ADDR_A, ADDR_B,
  input [8:0] BWE_A, BWE_B,
  input [71:0] DIN_A, DIN_B,
  output reg [71:0] DOUT_A, DOUT_B
);
  if (IREG_PRE_A != "FALSE" || IREG_PRE_B != "FALSE" || OREG_A != "FALSE" || OREG_B != "FALSE" ||
      CASCADE_ORDER_A != "NONE" || CASCADE_ORDER_B != "NONE" || EN_AUTO_SLEEP_MODE != "FALSE" || IS_CLK_INVERTED)
    $fatal(1, "URAM288: a mode that is not modelled");
  always @* if (ADDR_A[22:12] != 0 || ADDR_B[22:12] != 0) $fatal(1, "URAM288: a cascade is not modelled");
  always @* if ((RST_MODE_A != "SYNC" && RST_A) || (RST_MODE_B != "SYNC" && RST_B))
    $fatal(1, "URAM288: asynchronous reset is not modelled");

  reg [71:0] words [0:4095];
  initial begin
    for (int i = 0; i < 4096; i++) words[i] = 0;
    {DOUT_A, DOUT_B} = 0;
  end
  // The bits that byte enables stand for: with its ninth bit each, or the ninth bits by an enable of their own.
  function automatic [71:0] mask(input bit interleaved, input [8:0] enables);
    for (int i = 0; i < 8; i++) begin
      mask[8 * i +: 8] = {8{enables[i]}};
      mask[64 + i] = interleaved ? enables[i] : enables[8];
    end
  endfunction
  always @(posedge CLK) begin
    if (EN_A && RDB_WR_A) words[ADDR_A[11:0]] = DIN_A & mask(BWE_MODE_A == "PARITY_INTERLEAVED", BWE_A) |
                                                words[ADDR_A[11:0]] & ~mask(BWE_MODE_A == "PARITY_INTERLEAVED", BWE_A);
    else if (EN_A) DOUT_A <= words[ADDR_A[11:0]];
    if (EN_B && RDB_WR_B) words[ADDR_B[11:0]] = DIN_B & mask(BWE_MODE_B == "PARITY_INTERLEAVED", BWE_B) |
                                                words[ADDR_B[11:0]] & ~mask(BWE_MODE_B == "PARITY_INTERLEAVED", BWE_B);
    else if (EN_B) DOUT_B <= words[ADDR_B[11:0]];
    if (RST_A) DOUT_A <= 0;
    if (RST_B) DOUT_B <= 0;
  end
endmodule

// Multiplier of 27 by 18 bits: without registers and adder, or with what dfc_slice uses. D - A in registers, its product, and the sum with C or
// with the slice before, in one each.
module DSP48E2 #(
  parameter integer ACASCREG = 0, ADREG = 0, ALUMODEREG = 0, AREG = 0, BCASCREG = 0, BREG = 0, CARRYINREG = 0, CARRYINSELREG = 0,
  parameter integer CREG = 0, DREG = 0, INMODEREG = 0, MREG = 0, OPMODEREG = 0, PREG = 0,
  parameter A_INPUT = "DIRECT", B_INPUT = "DIRECT", USE_MULT = "MULTIPLY", USE_SIMD = "ONE48", AMULTSEL = "A", BMULTSEL = "B"
) (
  input CLK,
  input [29:0] A, ACIN,
  input [17:0] B, BCIN,
  input [47:0] C, PCIN,
  input [26:0] D,
  input [4:0] INMODE,
  input [3:0] ALUMODE,
  input [8:0] OPMODE,
  input [2:0] CARRYINSEL,
  input CARRYIN, CARRYCASCIN, MULTSIGNIN,
  input CEA1, CEA2, CEAD, CEB1, CEB2, CEC, CED, CEM, CEP, CEALUMODE, CECARRYIN, CECTRL, CEINMODE,
  input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
  output [47:0] P, PCOUT
);
  localparam CHAINED = AMULTSEL == "AD";
  if (CREG != 0 || ALUMODEREG != 0 || CARRYINREG != 0 || CARRYINSELREG != 0 || INMODEREG != 0 || OPMODEREG != 0 || A_INPUT != "DIRECT" ||
      B_INPUT != "DIRECT" || USE_MULT != "MULTIPLY" || USE_SIMD != "ONE48" || BMULTSEL != "B" || (AMULTSEL != "A" && !CHAINED) ||
      (CHAINED ? ADREG != 1 || MREG != 1 || PREG != 1 || AREG > 1 || DREG != AREG || BREG != AREG + 1 || ACASCREG != AREG || BCASCREG != BREG
               : AREG != 0 || BREG != 0 || DREG != 0 || ADREG != 0 || MREG != 0 || PREG != 0))
    $fatal(1, "DSP48E2: a mode that is not modelled");
  if (CHAINED) begin : chained
    always @* if ((OPMODE != 9'b000010101 && OPMODE != 9'b000110101) || ALUMODE != 0 || INMODE != 5'b01100 || CARRYINSEL != 0 || CARRYIN)
      $fatal(1, "DSP48E2: an operation that is not modelled");
    wire [12:0] enable = {CEA1, CEA2, CEAD, CEB1, CEB2, CEC, CED, CEM, CEP, CEALUMODE, CECARRYIN, CECTRL, CEINMODE};
    wire [9:0] reset = {RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP};
    always @* if (enable != 13'h1fff || reset != 0) $fatal(1, "DSP48E2: an operation that is not modelled");
    reg signed [26:0] a1 = 0, d1 = 0, difference = 0;
    reg signed [17:0] b1 = 0, b2 = 0;
    reg signed [44:0] product = 0;
    reg signed [47:0] sum = 0;
    wire signed [26:0] a = (AREG == 1) ? a1 : $signed(A[26:0]);
    wire signed [26:0] d = (DREG == 1) ? d1 : $signed(D);
    wire signed [17:0] b = (BREG == 2) ? b1 : $signed(B);
    wire signed [47:0] z = OPMODE[5] ? C : PCIN;
    always @(posedge CLK) begin
      a1 <= A[26:0];
      d1 <= D;
      b1 <= B;
      b2 <= b;
      difference <= d - a;
      product <= difference * b2;
      sum <= product + z;
    end
    assign P = sum;
    assign PCOUT = sum;
  end else begin : plain
    always @* if (OPMODE != 9'b000000101 || ALUMODE != 0 || INMODE != 0 || CARRYIN) $fatal(1, "DSP48E2: an operation that is not modelled");
    wire signed [47:0] a = $signed(A[26:0]);
    wire signed [47:0] b = $signed(B);
    assign P = a * b;
    assign PCOUT = P;
  end
endmodule
