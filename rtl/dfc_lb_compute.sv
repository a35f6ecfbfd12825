// Compute queue of the loopback engine: walks descriptors back to back through array, thresholds and result writer.
// The last word of an output is written $clog2(Simd) + TreeLevels + 6 + words cycles after its last step, of a root its bits + 1 later.
`include "dfc_lb_descriptor.svh"
`include "dfc_lb_types.svh"
module dfc_lb_compute #(
  parameter int unsigned Pe          = 4,
  parameter int unsigned Simd        = 16,
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
  parameter int unsigned DspRows     = 0,
  parameter int unsigned Block       = 0,
  parameter int unsigned Pixels      = 1,
  parameter int unsigned BusBits     = 64,
  localparam int unsigned WeightBeats = Pe * Simd * WeightBits / BusBits,
  localparam int unsigned WeightBeatBits = WeightBeats > 1 ? $clog2(WeightBeats) : 1,
  localparam int unsigned TreeBeats  = Pe * AccBits / BusBits,
  localparam int unsigned TreeBeatBits = TreeBeats > 1 ? $clog2(TreeBeats) : 1
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      clear_i,
  // the head of the queue
  input  logic                      valid_i,
  input  dfc_lb_compute_t           descriptor_i,
  output logic                      take_o,
  output logic                      done_o,
  output logic [2:0]                signals_o,
  output logic                      idle_o,
  output logic                      step_o,
  output logic                      overrun_o,
  // activation memory
  output logic [Pixels-1:0]         read_o,
  output logic [Pixels-1:0][23:0]   read_addr_o,
  input  logic [Pixels-1:0][ActBits*Simd-1:0] read_data_i,
  output logic [Simd-1:0]           write_o,
  output logic [23:0]               write_addr_o,
  output logic [ActBits*Simd-1:0]   write_data_o,
  // loads of weights and thresholds
  input  logic                      weight_load_i,
  input  logic                      tree_load_i,
  input  logic                      list_load_i,
  input  logic                      levels_load_i,
  input  logic [1:0]                coded_i,
  input  logic [23:0]               load_addr_i,
  input  logic [WeightBeatBits-1:0] weight_beat_i,
  input  logic [TreeBeatBits-1:0]   tree_beat_i,
  input  logic [BusBits-1:0]        load_data_i
);
  localparam int unsigned Delay    = $clog2(Simd) + 5;
  localparam int unsigned AddrBits = WeightWords > 1 ? $clog2(WeightWords) : 1;

  logic           ready, step, finished, empty;
  logic [7:0]     flight_q;  // steps that complete outputs whose last word is not written
  logic [19:0]    weight;
  dfc_lb_step_t   info, info_q;
  dfc_lb_result_t result;
  assign empty  = flight_q == '0 && !step;
  assign take_o = valid_i && ready && (!descriptor_i.drain || empty);
  assign idle_o = empty && ready;
  assign step_o = step;

  logic        list_read;
  logic [23:0] list_addr;
  logic [31:0] entry;  // of the list, in the next cycle
  if (ListWords != 0) begin : gen_list
    localparam int unsigned Each     = BusBits / 32;
    localparam int unsigned EachBits = $clog2(Each);
    localparam int unsigned ListBits = ListWords > 1 ? $clog2(ListWords) : 1;
    logic [BusBits-1:0] listed;
    dfc_lb_ram #(.Slices(1), .SliceBits(BusBits), .Depth(ListWords)) u_ram (
      .clk_i, .wr_en_i(list_load_i), .wr_addr_i(load_addr_i[ListBits-1:0]), .wr_data_i(load_data_i),
      .rd_en_i(list_read), .rd_addr_i(ListBits'(list_addr >> EachBits)), .rd_data_o(listed)
    );
    if (Each == 1) begin : gen_one
      assign entry = listed;
    end else begin : gen_several
      logic [EachBits-1:0] part_q;
      always_ff @(posedge clk_i) if (list_read) part_q <= list_addr[EachBits-1:0];
      assign entry = listed[32*part_q +: 32];
    end
  end else begin : gen_no_list
    assign entry = '0;
    logic unused_list;
    assign unused_list = ^{list_load_i, list_read, list_addr};
  end
  logic [Pixels-1:0] present, present_q;
  dfc_lb_walk #(.WeightBits(WeightBits), .Pixels(Pixels), .BusBits(BusBits)) u_walk (
    .clk_i, .rst_ni, .clear_i, .take_i(take_o), .ready_o(ready), .descriptor_i,
    .list_read_o(list_read), .list_addr_o(list_addr), .entry_i(entry),
    .step_o(step), .address_o(read_addr_o), .present_o(present), .weight_o(weight), .info_o(info), .result_o(result)
  );
  assign read_o = {Pixels{step}} & present;

  logic step_q;
  always_ff @(posedge clk_i) begin
    {info_q, present_q} <= {info, present};
    if (!rst_ni || clear_i) begin
      step_q   <= 1'b0;
      flight_q <= '0;
    end else begin
      step_q   <= step;
      flight_q <= flight_q + 8'(step && info.last) - 8'(finished);
    end
  end

  logic [Pe*Simd*WeightBits-1:0] weights;
  dfc_lb_weights #(.Pe(Pe), .Simd(Simd), .WeightWords(WeightWords), .WeightBits(WeightBits), .CodeBits(CodeBits), .BusBits(BusBits)) u_weights (
    .clk_i, .load_i(weight_load_i), .levels_i(levels_load_i), .coded_i, .load_addr_i(load_addr_i[AddrBits-1:0]), .load_beat_i(weight_beat_i), .load_data_i,
    .read_i(step), .read_addr_i(weight[AddrBits-1:0]), .width_i(info_q.width), .part_i(info_q.part), .weights_o(weights)
  );

  logic [Pixels-1:0]                 made;
  logic [Pixels-1:0][Pe*AccBits-1:0] sums;
  for (genvar k = 0; k < int'(Pixels); k++) begin : gen_pixel
    localparam int unsigned Before = k * Pe;  // rows of the pixels before
    dfc_lb_step_t own;
    always_comb begin
      own = info_q;
      own.present = present_q[k];
    end
    dfc_lb_array #(
      .Pe(Pe), .Simd(Simd), .WeightBits(WeightBits), .ActBits(ActBits), .AccWords(AccWords), .AccBits(AccBits),
      .DspRows(DspRows <= Before ? 0 : DspRows - Before < Pe ? DspRows - Before : Pe), .Block(Block), .Whole(32'(k == 0))
    ) u_array (
      .clk_i, .rst_ni, .step_i(step_q), .info_i(own), .codes_i(read_data_i[k]), .weights_i(weights), .valid_o(made[k]), .sums_o(sums[k])
    );
  end

  dfc_lb_result_t [Delay-1:0] result_q;
  always_ff @(posedge clk_i) result_q <= {result_q[Delay-2:0], result};

  logic                  one_valid, crowds;
  logic [Pe*AccBits-1:0] one;
  dfc_lb_result_t        one_info;
  dfc_lb_serial #(.Pixels(Pixels), .Pe(Pe), .AccBits(AccBits)) u_serial (
    .clk_i, .rst_ni, .clear_i, .valid_i(made[0]), .sums_i(sums), .result_i(result_q[Delay-1]),
    .valid_o(one_valid), .sums_o(one), .result_o(one_info), .overrun_o(crowds)
  );

  logic                  values_valid;
  logic [Pe*AccBits-1:0] values;
  dfc_lb_result_t        values_info;
  dfc_lb_tree #(.Pe(Pe), .TreeLevels(TreeLevels), .TreeBanks(TreeBanks), .AccBits(AccBits), .ScaleBits(ScaleBits), .BusBits(BusBits)) u_tree (
    .clk_i, .rst_ni, .load_i(tree_load_i), .load_addr_i, .load_beat_i(tree_beat_i), .load_data_i,
    .valid_i(one_valid), .sums_i(one), .result_i(one_info),
    .valid_o(values_valid), .values_o(values), .result_o(values_info)
  );

  logic                  found, collides, overruns;
  logic [Pe*AccBits-1:0] written;
  dfc_lb_result_t        written_info;
  if (RootBits != 0) begin : gen_root
    // A root is found of the result of row 0 and takes its place: one at a time, while no other results come.
    logic               load, done, rooting_q;
    logic [AccBits-2:0] root;
    dfc_lb_result_t     root_info_q;
    assign load = values_valid && values_info.root;
    dfc_inverse_root #(.WBits(AccBits), .RootBits(AccBits - 1), .RestBits(RootBits)) u_root (
      .clk_i, .rst_ni(rst_ni && !clear_i), .load_i(load), .w_i(values[AccBits-1:0]), .start_i(RootBits'(1) << values_info.root_start),
      .steps_i($clog2(AccBits + 1)'(values_info.root_steps)), .done_o(done), .root_o(root)
    );
    always_ff @(posedge clk_i) begin
      if (load) root_info_q <= values_info;
      if (!rst_ni || clear_i) rooting_q <= 1'b0;
      else                    rooting_q <= load || (rooting_q && !done);
    end
    assign found        = done || (values_valid && !values_info.root);
    assign written      = done ? (Pe*AccBits)'(root) : values;
    assign written_info = done ? root_info_q : values_info;
    assign collides     = values_valid && rooting_q && !(load && done);
  end else begin : gen_no_root
    assign found        = values_valid;
    assign written      = values;
    assign written_info = values_info;
    assign collides     = 1'b0;
  end
  assign overrun_o = overruns || collides || crowds;

  dfc_lb_write #(.Pe(Pe), .Simd(Simd), .ActBits(ActBits), .AccBits(AccBits)) u_write (
    .clk_i, .rst_ni, .clear_i, .valid_i(found), .values_i(written), .result_i(written_info),
    .write_o, .addr_o(write_addr_o), .data_o(write_data_o), .finished_o(finished), .done_o, .signals_o, .overrun_o(overruns)
  );
  logic unused_high;
  assign unused_high = ^{weight, load_addr_i, made};
endmodule
