// One of Depth constants, in LUTs that join the logic behind them: a tree and no memory, of which Yosys would put the address's register
// behind it.
module dfc_pick #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 4,
  localparam int unsigned AddrBits = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic [Depth-1:0][Width-1:0] entries_i,
  input  logic [AddrBits-1:0]         addr_i,
  output logic [Width-1:0]            data_o
);
`ifdef VERILATOR
  assign data_o = (Depth > 1) ? entries_i[addr_i] : entries_i[0];  // which takes a simulator less than the tree
`else
  for (genvar l = 0; l <= int'(AddrBits); l++) begin : gen_level
    localparam int unsigned Nodes = 1 << (AddrBits - l);
    logic [Nodes-1:0][Width-1:0] node;
    if (l == 0) begin : gen_words
      assign node = (Nodes * Width)'(entries_i);
    end else begin : gen_choices
      for (genvar n = 0; n < int'(Nodes); n++) begin : gen_choice
        assign node[n] = addr_i[l-1] ? gen_level[l-1].node[2*n+1] : gen_level[l-1].node[2*n];
      end
    end
  end
  assign data_o = gen_level[AddrBits].node[0];
`endif
endmodule
