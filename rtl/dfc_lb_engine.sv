// The loopback engine without its registers: program reader, three queues that meet through tokens, and the memories.
// One compute step, one loaded and one stored bus word a cycle, all at once.
`include "dfc_lb_descriptor.svh"
module dfc_lb_engine #(
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
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               start_i,
  input  logic [31:0]        address_i,
  input  logic [31:0]        bytes_i,
  output logic               busy_o,
  output logic               done_o,
  output logic [3:0]         error_o,
  output logic [31:0]        index_o,
  output logic [63:0]        cycles_o,
  output logic               program_ar_valid_o,
  input  logic               program_ar_ready_i,
  output logic [31:0]        program_ar_addr_o,
  output logic [7:0]         program_ar_len_o,
  input  logic               program_r_valid_i,
  output logic               program_r_ready_o,
  input  logic [BusBits-1:0] program_r_data_i,
  input  logic [1:0]         program_r_resp_i,
  output logic               ar_valid_o,
  input  logic               ar_ready_i,
  output logic [31:0]        ar_addr_o,
  output logic [7:0]         ar_len_o,
  input  logic               r_valid_i,
  output logic               r_ready_o,
  input  logic [BusBits-1:0] r_data_i,
  input  logic [1:0]         r_resp_i,
  output logic               aw_valid_o,
  input  logic               aw_ready_i,
  output logic [31:0]        aw_addr_o,
  output logic [7:0]         aw_len_o,
  output logic               w_valid_o,
  input  logic               w_ready_i,
  output logic [BusBits-1:0] w_data_o,
  output logic               w_last_o,
  input  logic               b_valid_i,
  output logic               b_ready_o,
  input  logic [1:0]         b_resp_i
);
  localparam int unsigned Load = `DFC_LB_UNIT_LOAD, Compute = `DFC_LB_UNIT_COMPUTE, Store = `DFC_LB_UNIT_STORE;
  localparam int unsigned Shift = $clog2(BusBits / 8);
  localparam int unsigned BeatBits = 12;
  localparam int unsigned ActBeatBits = ActBits * Simd > BusBits ? $clog2(ActBits * Simd / BusBits) : 1;
  localparam int unsigned WeightBeatBits = Pe * Simd * WeightBits > BusBits ? $clog2(Pe * Simd * WeightBits / BusBits) : 1;
  localparam int unsigned TreeBeatBits = Pe * AccBits > BusBits ? $clog2(Pe * AccBits / BusBits) : 1;
  localparam int unsigned Depth = 16;  // descriptors of a queue

  logic clear, halt;

  // Program: descriptors, checked, to their queues.
  logic             valid, ready, ended, quiet, program_fault;
  logic [639:0]     bits;
  logic [3:0]       check;
  logic [2:0]       push, room, take, tokens, done, head_valid;
  dfc_lb_transfer_t transfer;
  dfc_lb_compute_t  compute;
  assign transfer = bits[127:0];
  assign compute  = bits;
  dfc_lb_fetch #(.RepeatBits(RepeatBits), .BusBits(BusBits)) u_fetch (
    .clk_i, .rst_ni, .clear_i(clear), .start_i(clear), .address_i, .beats_i(24'(bytes_i >> Shift)),
    .valid_o(valid), .ready_i(ready), .bits_o(bits), .ended_o(ended), .quiet_o(quiet), .fault_o(program_fault),
    .ar_valid_o(program_ar_valid_o), .ar_ready_i(program_ar_ready_i), .ar_addr_o(program_ar_addr_o), .ar_len_o(program_ar_len_o),
    .r_valid_i(program_r_valid_i), .r_ready_o(program_r_ready_o), .r_data_i(program_r_data_i), .r_resp_i(program_r_resp_i)
  );
  dfc_lb_check #(
    .Pe(Pe), .Simd(Simd), .ActWords(ActWords), .WeightWords(WeightWords), .TreeLevels(TreeLevels), .TreeBanks(TreeBanks),
    .WeightBits(WeightBits), .AccBits(AccBits), .ScaleBits(ScaleBits), .RootBits(RootBits), .ListWords(ListWords), .CodeBits(CodeBits),
    .ActBits(ActBits), .BusBits(BusBits)
  ) u_check (.compute_i(compute), .transfer_i(transfer), .error_o(check));

  dfc_lb_transfer_t load_head, store_head;
  dfc_lb_compute_t  compute_head;
  dfc_lb_queue #(.Width(128), .Depth(Depth)) u_load_queue (
    .clk_i, .rst_ni, .clear_i(clear), .in_valid_i(push[Load]), .in_ready_o(room[Load]), .in_data_i(transfer),
    .out_valid_o(head_valid[Load]), .out_ready_i(take[Load]), .out_data_o(load_head)
  );
  dfc_lb_queue #(.Width(640), .Depth(Depth)) u_compute_queue (
    .clk_i, .rst_ni, .clear_i(clear), .in_valid_i(push[Compute]), .in_ready_o(room[Compute]), .in_data_i(compute),
    .out_valid_o(head_valid[Compute]), .out_ready_i(take[Compute]), .out_data_o(compute_head)
  );
  dfc_lb_queue #(.Width(128), .Depth(Depth)) u_store_queue (
    .clk_i, .rst_ni, .clear_i(clear), .in_valid_i(push[Store]), .in_ready_o(room[Store]), .in_data_i(transfer),
    .out_valid_o(head_valid[Store]), .out_ready_i(take[Store]), .out_data_o(store_head)
  );
  logic [2:0][2:0] signals;
  dfc_lb_tokens u_tokens (
    .clk_i, .rst_ni, .clear_i(clear), .waits_i({store_head.waits, compute_head.waits, load_head.waits}), .take_i(take),
    .ready_o(tokens), .done_i(done), .signals_i(signals)
  );
  logic [2:0] go;
  assign go = head_valid & tokens & {3{!halt && busy_o}};

  // Queues.
  logic                load_act, load_act_ready, load_weight, load_tree, load_list, load_levels, load_idle, load_fault;
  logic [1:0]          load_coded;
  logic [23:0]         load_addr;
  logic [BeatBits-1:0] load_beat;
  logic [BusBits-1:0]  load_data;
  dfc_lb_load #(
    .Pe(Pe), .Simd(Simd), .WeightBits(WeightBits), .AccBits(AccBits), .CodeBits(CodeBits), .ActBits(ActBits), .BusBits(BusBits)
  ) u_load (
    .clk_i, .rst_ni, .clear_i(clear), .valid_i(go[Load]), .descriptor_i(load_head), .take_o(take[Load]),
    .done_o(done[Load]), .signals_o(signals[Load]), .idle_o(load_idle), .fault_o(load_fault),
    .ar_valid_o, .ar_ready_i, .ar_addr_o, .ar_len_o, .r_valid_i, .r_ready_o, .r_data_i, .r_resp_i,
    .act_o(load_act), .act_ready_i(load_act_ready), .weight_o(load_weight), .tree_o(load_tree),
    .list_o(load_list), .levels_o(load_levels), .coded_o(load_coded),
    .addr_o(load_addr), .beat_o(load_beat), .data_o(load_data)
  );

  logic              compute_idle, step, overrun;
  logic [Pixels-1:0] read;
  logic [Pixels-1:0][23:0] read_addr;
  logic [Pixels-1:0][ActBits*Simd-1:0] read_data;
  logic [23:0]       write_addr;
  logic [ActBits*Simd-1:0] write_data;
  logic [Simd-1:0]   write;
  dfc_lb_compute #(
    .Pe(Pe), .Simd(Simd), .WeightWords(WeightWords), .AccWords(AccWords), .TreeLevels(TreeLevels), .TreeBanks(TreeBanks),
    .WeightBits(WeightBits), .AccBits(AccBits), .ScaleBits(ScaleBits), .RootBits(RootBits), .ListWords(ListWords), .CodeBits(CodeBits),
    .ActBits(ActBits), .DspRows(DspRows), .Block(Block), .Pixels(Pixels), .BusBits(BusBits)
  ) u_compute (
    .clk_i, .rst_ni, .clear_i(clear), .valid_i(go[Compute]), .descriptor_i(compute_head), .take_o(take[Compute]),
    .done_o(done[Compute]), .signals_o(signals[Compute]), .idle_o(compute_idle), .step_o(step), .overrun_o(overrun),
    .read_o(read), .read_addr_o(read_addr), .read_data_i(read_data),
    .write_o(write), .write_addr_o(write_addr), .write_data_o(write_data),
    .weight_load_i(load_weight), .tree_load_i(load_tree), .list_load_i(load_list), .levels_load_i(load_levels), .coded_i(load_coded),
    .load_addr_i(load_addr), .weight_beat_i(load_beat[WeightBeatBits-1:0]),
    .tree_beat_i(load_beat[TreeBeatBits-1:0]), .load_data_i(load_data)
  );

  logic              store_idle, store_fault, store_read, store_ready, range;
  logic [23:0]       store_addr;
  logic [ActBits*Simd-1:0] store_data;
  dfc_lb_store #(.Simd(Simd), .ActBits(ActBits), .BusBits(BusBits)) u_store (
    .clk_i, .rst_ni, .clear_i(clear), .valid_i(go[Store]), .descriptor_i(store_head), .take_o(take[Store]),
    .done_o(done[Store]), .signals_o(signals[Store]), .idle_o(store_idle), .fault_o(store_fault),
    .read_o(store_read), .read_ready_i(store_ready), .read_addr_o(store_addr), .read_data_i(store_data),
    .aw_valid_o, .aw_ready_i, .aw_addr_o, .aw_len_o, .w_valid_o, .w_ready_i, .w_data_o, .w_last_o, .b_valid_i, .b_ready_o, .b_resp_i
  );

  dfc_lb_act #(.Simd(Simd), .ActBits(ActBits), .Together(Pe < 8 / ActBits ? Pe : 8 / ActBits), .ActWords(ActWords), .Style(ActStyle), .Pixels(Pixels), .BusBits(BusBits)) u_act (
    .clk_i, .rst_ni, .clear_i(clear), .read_i(read), .read_addr_i(read_addr), .read_data_o(read_data),
    .write_i(write), .write_addr_i(write_addr), .write_data_i(write_data), .range_o(range),
    .load_i(load_act), .load_ready_o(load_act_ready), .load_addr_i(load_addr), .load_beat_i(load_beat[ActBeatBits-1:0]),
    .load_data_i(load_data),
    .store_i(store_read), .store_ready_o(store_ready), .store_addr_i(store_addr), .store_data_o(store_data)
  );

  logic settled, moved;
  assign settled = load_idle && compute_idle && store_idle && quiet;
  assign moved   = ready || take != '0 || done != '0 || step || program_r_valid_i || (r_valid_i && r_ready_o) || (w_valid_o && w_ready_i);
  dfc_lb_control #(.Timeout(Timeout)) u_control (
    .clk_i, .rst_ni, .start_i, .busy_o, .done_o, .clear_o(clear), .halt_o(halt), .error_o, .index_o, .cycles_o,
    .valid_i(valid), .ready_o(ready), .opcode_i(transfer.opcode), .check_i(check), .ended_i(ended), .push_o(push), .room_i(room),
    .idle_i(settled && head_valid == '0), .settled_i(settled), .moved_i(moved),
    .bus_fault_i(load_fault || store_fault || program_fault), .range_fault_i(range), .overrun_i(overrun)
  );
  logic unused_beats;
  assign unused_beats = ^{load_beat};
endmodule
