// Activation memory of the loopback engine: two banks, each with one read and one write a cycle, written by the digit; for each pixel that
// the array reads at once a copy.
// The array reads and writes at once; loads and stores take the cycles that it leaves free in their bank. Read latency 1.
module dfc_lb_act #(
  parameter int unsigned Simd     = 16,
  parameter int unsigned ActBits  = 8,
  parameter int unsigned Together = 1,  // digits that the array writes at the least: a byte, where there are so many
  parameter int unsigned ActWords = 1024,
  parameter int unsigned Style    = 0,  // of dfc_lb_ram
  parameter int unsigned Pixels   = 1,
  parameter int unsigned BusBits  = 64,
  localparam int unsigned Width   = ActBits * Simd,
  localparam int unsigned Beats   = Width / BusBits,
  localparam int unsigned BeatBits = Beats > 1 ? $clog2(Beats) : 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                clear_i,
  // the array
  input  logic [Pixels-1:0]            read_i,
  input  logic [Pixels-1:0][23:0]      read_addr_i,
  output logic [Pixels-1:0][Width-1:0] read_data_o,
  input  logic [Simd-1:0]     write_i,
  input  logic [23:0]         write_addr_i,
  input  logic [Width-1:0]    write_data_i,
  output logic                range_o,  // an address of the array is beyond the memory; stays until clear_i
  // loads: one bus word
  input  logic                load_i,
  output logic                load_ready_o,
  input  logic [23:0]         load_addr_i,
  input  logic [BeatBits-1:0] load_beat_i,
  input  logic [BusBits-1:0]  load_data_i,
  // stores: one memory word
  input  logic                store_i,
  output logic                store_ready_o,
  input  logic [23:0]         store_addr_i,
  output logic [Width-1:0]    store_data_o
);
  localparam int unsigned Slices = Simd / Together;
  localparam int unsigned Half = ActWords / 2;
  localparam int unsigned Bits = Half > 1 ? $clog2(Half) : 1;
  localparam int unsigned Bank = $clog2(Half);

  if (ActWords < 4 || (ActWords & (ActWords - 1)) != 0 || Width % BusBits != 0 || Slices % Beats != 0) begin : gen_check
    $fatal(1, "dfc_lb_act: ActWords must be a power of two, and a word whole bus words");
  end

  logic [1:0]              write_here, load_here, store_here;
  logic [1:0][Width-1:0]   stored;  // of copy 0
  logic [Pixels-1:0]       beyond;
  logic                    store_bank_q;
  logic [Slices-1:0]     load_slices, write_slices;
  for (genvar s = 0; s < int'(Slices); s++) begin : gen_slice
    assign write_slices[s] = write_i[s*Together];
  end
  for (genvar b = 0; b < int'(Beats); b++) begin : gen_beat
    assign load_slices[b*(Slices/Beats) +: Slices/Beats] = {(Slices/Beats){load_beat_i == BeatBits'(b)}};
  end
  logic [1:0][Slices-1:0] wr_en;
  logic [1:0][Bits-1:0]   wr_addr;
  logic [1:0][Width-1:0]  wr_data;
  for (genvar k = 0; k < 2; k++) begin : gen_bank
    assign write_here[k] = write_i != '0 && write_addr_i[Bank] == 1'(k);
    assign load_here[k]  = load_i && load_addr_i[Bank] == 1'(k) && !write_here[k];
    assign store_here[k] = store_i && store_addr_i[Bank] == 1'(k) && !(read_i[0] && read_addr_i[0][Bank] == 1'(k));
    assign wr_en[k]      = write_here[k] ? write_slices : (load_here[k] ? load_slices : '0);
    assign wr_addr[k]    = write_here[k] ? write_addr_i[Bits-1:0] : load_addr_i[Bits-1:0];
    assign wr_data[k]    = write_here[k] ? write_data_i : {Beats{load_data_i}};
  end
  for (genvar x = 0; x < int'(Pixels); x++) begin : gen_copy
    logic [1:0][Width-1:0] data;
    logic [1:0]            read_here;
    logic                  read_bank_q;
    for (genvar k = 0; k < 2; k++) begin : gen_bank
      assign read_here[k] = read_i[x] && read_addr_i[x][Bank] == 1'(k);
      dfc_lb_ram #(.Slices(Slices), .SliceBits(Together * ActBits), .Depth(Half), .Style(Style)) u_ram (
        .clk_i, .wr_en_i(wr_en[k]), .wr_addr_i(wr_addr[k]), .wr_data_i(wr_data[k]),
        .rd_en_i(read_here[k] || (x == 0 && store_here[k])),
        .rd_addr_i(read_here[k] || x > 0 ? read_addr_i[x][Bits-1:0] : store_addr_i[Bits-1:0]),
        .rd_data_o(data[k])
      );
    end
    always_ff @(posedge clk_i) if (read_i[x]) read_bank_q <= read_addr_i[x][Bank];
    assign read_data_o[x] = data[read_bank_q];
    assign beyond[x]      = read_i[x] && read_addr_i[x] >= 24'(ActWords);
    if (x == 0) begin : gen_stored
      assign stored = data;
    end
  end
  assign load_ready_o  = load_here != '0;
  assign store_ready_o = store_here != '0;
  assign store_data_o  = stored[store_bank_q];

  always_ff @(posedge clk_i) begin
    if (store_i) store_bank_q <= store_addr_i[Bank];
    if (!rst_ni || clear_i) begin
      range_o <= 1'b0;
    end else if (beyond != '0 || (write_i != '0 && write_addr_i >= 24'(ActWords))) begin
      range_o <= 1'b1;
    end
  end
  logic unused_high;
  assign unused_high = ^{load_addr_i, store_addr_i};  // loads and stores are checked before they start
endmodule
