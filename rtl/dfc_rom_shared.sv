// Two read-only memories in one block RAM, each behind a read port of its own: latency 1 cycle, one read a cycle and port.
// The file holds 2**Bits words: the first memory's from address 0 up; the second's where the address bits above its own are ones
// when those words are free, else from the last address down. Either way its address needs no adder.
module dfc_rom_shared #(
  parameter              File        = "",
  parameter int unsigned FirstWidth  = 8,
  parameter int unsigned FirstDepth  = 16,
  parameter int unsigned SecondWidth = 8,
  parameter int unsigned SecondDepth = 16,
  localparam int unsigned FirstBits  = (FirstDepth > 1) ? $clog2(FirstDepth) : 1,
  localparam int unsigned SecondBits = (SecondDepth > 1) ? $clog2(SecondDepth) : 1
) (
  input  logic                   clk_i,
  input  logic                   first_en_i,
  input  logic [FirstBits-1:0]   first_addr_i,
  output logic [FirstWidth-1:0]  first_data_o,
  input  logic                   second_en_i,
  input  logic [SecondBits-1:0]  second_addr_i,
  output logic [SecondWidth-1:0] second_data_o
);
  localparam int unsigned Width = (FirstWidth > SecondWidth) ? FirstWidth : SecondWidth;
  localparam int unsigned Bits  = $clog2(FirstDepth + SecondDepth);
  localparam int unsigned Base  = (1 << Bits) - (1 << SecondBits);

  if (FirstDepth < 2 || SecondDepth < 2) begin : gen_check
    $fatal(1, "dfc_rom_shared: a memory of one entry is a constant");
  end

  (* rom_style = "block", ram_style = "block" *) logic [Width-1:0] entries [1 << Bits];
  initial if (File != "") $readmemh(File, entries);

  logic [Bits-1:0] second_addr;
  if (Base >= FirstDepth) begin : gen_above
    assign second_addr = Bits'(Base) | Bits'(second_addr_i);
  end else begin : gen_down
    assign second_addr = ~Bits'(second_addr_i);
  end

  logic [Width-1:0] first_q, second_q;
  always_ff @(posedge clk_i) if (first_en_i) first_q <= entries[Bits'(first_addr_i)];
  always_ff @(posedge clk_i) if (second_en_i) second_q <= entries[second_addr];
  assign first_data_o  = first_q[FirstWidth-1:0];
  assign second_data_o = second_q[SecondWidth-1:0];

  logic unused;
  assign unused = ^{first_q, second_q};
endmodule
