// Sum of two scaled streams with the quantizer behind it: code = clip((first + second + third) >> Shift), offset for unsigned codes,
// where the low bits of both operands choose an entry of the first of three tables and the high bits of each one of its own.
// Latency 7 cycles, 4 where no sum is clipped; one beat a cycle. The file holds 64, 32 and 32 entries: those of the first two tables are
// not negative, those of the last two are subtracted.
`include "dfc_assert.svh"
module dfc_table_add #(
  parameter int unsigned Beats      = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Lanes      = 1,
  parameter int unsigned Bits0      = 8,
  parameter int unsigned Bits1      = 8,
  parameter int unsigned FirstBits  = 8,   // of the first table
  parameter int unsigned SecondBits = 12,  // of its sum with the second
  parameter int unsigned SumBits    = 12,  // of all three, signed, and of an entry of the file
  parameter int unsigned Shift      = 2,
  parameter int unsigned OutBits    = 8,
  parameter int unsigned OutSigned  = 0,
  parameter              TableFile  = ""
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic [Lanes*Bits0-1:0]   in0_data_i,
  input  logic                     in0_valid_i,
  output logic                     in0_ready_o,
  input  logic [Lanes*Bits1-1:0]   in1_data_i,
  input  logic                     in1_valid_i,
  output logic                     in1_ready_o,
  output logic [Lanes*OutBits-1:0] out_data_o,
  output logic                     out_valid_o,
  input  logic                     out_ready_i
);
  if (Beats < 1 || Lanes < 1 || Bits0 > 8 || Bits1 > 8 || SumBits < Shift + OutBits) begin : gen_check
    $fatal(1, "dfc_table_add: operands have at most 8 bits, the sum not less than the codes");
  end

  localparam bit          Clips  = SumBits > Shift + OutBits;
  localparam int unsigned Stages = Clips ? 6 : 3;
  localparam logic [OutBits-1:0] Least = OutBits'(1) << (OutBits - 1);  // of signed codes

  logic step, credit;
  logic [Stages-1:0] step_q;
  assign in0_ready_o = credit && in1_valid_i;
  assign in1_ready_o = credit && in0_valid_i;
  assign step        = credit && in0_valid_i && in1_valid_i;
  always_ff @(posedge clk_i) step_q <= rst_ni ? {step_q[Stages-2:0], step} : '0;

  logic [Lanes*OutBits-1:0] codes;
  for (genvar i = 0; i < int'(Lanes); i++) begin : gen_lane
    // Constants, no memory: its registers would come between an entry and the adder that shares its LUT.
    logic [SumBits-1:0][63:0] table0;
    logic [SumBits-1:0][31:0] table1, table2;
    initial begin
      automatic logic [SumBits-1:0] image [128];
      if (TableFile != "") $readmemh(TableFile, image);
      for (int unsigned j = 0; j < SumBits; j++) begin
        for (int unsigned k = 0; k < 64; k++) table0[j][k] = image[k][j];
        for (int unsigned k = 0; k < 32; k++) table1[j][k] = image[64 + k][j];
        for (int unsigned k = 0; k < 32; k++) table2[j][k] = image[96 + k][j];
      end
    end

    logic [7:0] a, b;
    logic [4:0] a_q, b_q, b_qq;
    logic [SumBits-1:0] entry0, entry1, entry2;
    logic [FirstBits-1:0]  first_q;
    logic [SecondBits-1:0] second_q;
    logic [SumBits-1:0]    sum_q;
    logic [OutBits-1:0]    code, clipped;  // of a signed type

    assign a      = 8'(in0_data_i[i*Bits0 +: Bits0]);
    assign b      = 8'(in1_data_i[i*Bits1 +: Bits1]);
    for (genvar j = 0; j < int'(SumBits); j++) begin : gen_bit
      assign entry0[j] = 1'(table0[j] >> {b[2:0], a[2:0]});
      assign entry1[j] = 1'(table1[j] >> a_q);
      assign entry2[j] = 1'(table2[j] >> b_qq);
    end
    always_ff @(posedge clk_i) begin
      first_q  <= FirstBits'(entry0);
      a_q      <= a[7:3];
      b_q      <= b[7:3];
      second_q <= SecondBits'(first_q) - SecondBits'(entry1);
      b_qq     <= b_q;
      sum_q    <= SumBits'(second_q) - entry2;
    end
    assign code = sum_q[Shift +: OutBits];
    if (Clips) begin : gen_clip
      // By registers that are reset and set one behind the other: no logic on the codes' way, and none beside it where one bit is above.
      localparam int unsigned Top = SumBits - Shift - OutBits;
      logic sign, below_q, above_q, above_qq;
      logic [Top-1:0]     top;
      logic [OutBits-1:0] code_q, raised_q, clipped_q;
      assign sign = sum_q[SumBits-1];
      assign top  = sum_q[Shift+OutBits-1 +: Top];  // equal to the sign where the sum is within the codes
      always_ff @(posedge clk_i) begin
        code_q    <= code;
        below_q   <= (&top) ? 1'b0 : sign;
        above_q   <= sign ? 1'b0 : |top;
        raised_q  <= below_q ? Least : code_q;
        above_qq  <= above_q;
        clipped_q <= above_qq ? ~Least : raised_q;
      end
      assign clipped = clipped_q;
    end else begin : gen_whole
      assign clipped = code;
    end
    assign codes[i*OutBits +: OutBits] = (OutSigned != 0) ? clipped : clipped ^ Least;
    logic unused;
    assign unused = ^{entry0, entry1, sum_q};
  end

  dfc_stream_out #(.Width(Lanes * OutBits), .Slots(Stages + 2)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(step_q[Stages-1]), .data_i(codes), .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
