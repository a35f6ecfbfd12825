// Runs a program of the loopback engine: dispatches its descriptors to the queues, stops at FINISH or at the first fault.
// A fault stops new descriptors; the run ends when what is under way is complete, or at once when nothing moves for Timeout cycles.
`include "dfc_lb_descriptor.svh"
module dfc_lb_control #(
  parameter int unsigned Timeout = 65536
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             start_i,
  output logic             busy_o,
  output logic             done_o,
  output logic             clear_o,
  output logic             halt_o,    // take no descriptor
  output logic [3:0]       error_o,
  output logic [31:0]      index_o,
  output logic [63:0]      cycles_o,
  // the descriptor that was fetched
  input  logic             valid_i,
  output logic             ready_o,
  input  logic [3:0]       opcode_i,
  input  logic [3:0]       check_i,
  input  logic             ended_i,
  output logic [2:0]       push_o,
  input  logic [2:0]       room_i,
  // what goes on
  input  logic             idle_i,    // queues and units are empty
  input  logic             settled_i, // nothing is under way, whatever is queued
  input  logic             moved_i,   // something happened in this cycle
  input  logic             bus_fault_i,
  input  logic             range_fault_i,
  input  logic             overrun_i
);
  localparam int unsigned TimerBits = $clog2(Timeout + 1);

  logic                 busy_q, done_q, finishing_q, refused, refused_end, late, over;
  logic [3:0]           error_q, error_d;
  logic [31:0]          index_q;
  logic [63:0]          cycles_q;
  logic [TimerBits-1:0] timer_q;
  assign busy_o   = busy_q;
  assign done_o   = done_q;
  assign clear_o  = start_i && !busy_q;
  assign halt_o   = error_q != '0;
  assign error_o  = error_q;
  assign index_o  = index_q;
  assign cycles_o = cycles_q;

  always_comb begin
    push_o = '0;
    if (valid_i && busy_q && !halt_o && !finishing_q && check_i == '0) begin
      unique case (opcode_i)
        4'(`DFC_LB_OPCODE_LOAD):    push_o[`DFC_LB_UNIT_LOAD] = 1'b1;
        4'(`DFC_LB_OPCODE_COMPUTE): push_o[`DFC_LB_UNIT_COMPUTE] = 1'b1;
        4'(`DFC_LB_OPCODE_STORE):   push_o[`DFC_LB_UNIT_STORE] = 1'b1;
        default:                    push_o = '0;
      endcase
    end
  end
  assign ready_o     = (push_o & room_i) != '0;
  assign refused     = busy_q && valid_i && !finishing_q && check_i != '0;
  assign refused_end = busy_q && ended_i && !finishing_q;
  assign late        = timer_q == TimerBits'(Timeout);
  assign over        = late || (halt_o ? settled_i : (finishing_q && idle_i));

  always_comb begin
    error_d = '0;
    if (refused)            error_d = check_i;
    else if (bus_fault_i)   error_d = 4'(`DFC_LB_ERROR_CODE_BUS);
    else if (range_fault_i) error_d = 4'(`DFC_LB_ERROR_CODE_ACT_RANGE);
    else if (overrun_i)     error_d = 4'(`DFC_LB_ERROR_CODE_RESULT);
    else if (refused_end)   error_d = 4'(`DFC_LB_ERROR_CODE_LENGTH);
    else if (late)          error_d = 4'(`DFC_LB_ERROR_CODE_TIMEOUT);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {busy_q, done_q, finishing_q, error_q, index_q, cycles_q, timer_q} <= '0;
    end else if (clear_o) begin
      busy_q <= 1'b1;
      {done_q, finishing_q, error_q, index_q, cycles_q, timer_q} <= '0;
    end else if (busy_q) begin
      cycles_q <= cycles_q + 64'd1;
      timer_q  <= moved_i ? '0 : timer_q + TimerBits'(1);
      if (error_q == '0) error_q <= error_d;
      if (ready_o) index_q <= index_q + 32'd1;
      if (valid_i && !halt_o && check_i == '0 && opcode_i == 4'(`DFC_LB_OPCODE_FINISH)) finishing_q <= 1'b1;
      if (over) begin
        busy_q <= 1'b0;
        done_q <= 1'b1;
      end
    end
  end
endmodule
