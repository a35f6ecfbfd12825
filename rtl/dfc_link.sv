// The packets of a host link: a request is answered once, and answered again when it comes again.
// Request:  D5, sequence, operation, length (2), payload, CRC. Operation 0: who are you; 1: reset; 2: payload for input port [2:0]
//           of bits 5 to 0, answered with what output port [5:3] has.
// Response: D5, sequence, operation, free bytes of the input port (2), length (2), payload, CRC. The payload of the first two
//           operations is Version and Hash. Numbers are little-endian; the CRC is CRC-16/CCITT from FFFF on, its high byte first.
// What is broken, too long or stops for Gap cycles is dropped without an answer; after it the line must rest for Gap cycles.
module dfc_link #(
  parameter int unsigned Inputs  = 1,
  parameter int unsigned Outputs = 1,
  parameter int unsigned Gap     = 1000,
  parameter bit [31:0]   Version = '0,
  parameter bit [63:0]   Hash    = '0
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [7:0]            rx_data_i,
  input  logic                  rx_valid_i,
  input  logic                  rx_error_i,
  output logic [7:0]            tx_data_o,
  output logic                  tx_valid_o,
  input  logic                  tx_ready_i,
  output logic                  reset_no,       // of ports and design
  output logic [7:0]            in_data_o,
  output logic [Inputs-1:0]     in_write_o,
  output logic [Inputs-1:0]     in_commit_o,
  output logic                  in_cancel_o,
  input  logic [Inputs-1:0]     in_room_i,
  input  logic [Inputs*16-1:0]  in_free_i,
  output logic                  out_acknowledge_o,
  output logic                  out_start_o,
  output logic [Outputs-1:0]    out_next_o,
  input  logic [Outputs*16-1:0] out_length_i,
  input  logic [Outputs*8-1:0]  out_data_i
);
  if (Inputs < 1 || Inputs > 8 || Outputs < 1 || Outputs > 8) begin : gen_check
    $fatal(1, "dfc_link: Inputs and Outputs must be 1 to 8");
  end

  localparam logic [7:0]  Sync     = 8'hd5;
  localparam int unsigned InfoSize = 12;
  localparam int unsigned GapBits  = $clog2(Gap + 1);
  typedef enum logic [3:0] {Idle, Sequence, Operation, LengthLow, LengthHigh, Payload, CrcHigh, CrcLow, Skip, Accept, Settle, Begin, Answer} state_t;

  function automatic logic [15:0] crc(input logic [15:0] sum, input logic [7:0] data);
    crc = sum ^ {data, 8'h00};
    for (int i = 0; i < 8; i++) crc = {crc[14:0], 1'b0} ^ (crc[15] ? 16'h1021 : 16'h0);
  endfunction

  // What has come.
  state_t               state_q;
  logic [GapBits-1:0]   rest_q;
  logic [15:0]          crc_q, left_q;
  logic [7:0]           sequence_q, operation_q, last_q;
  logic                 known_q;  // last_q is a request that was answered
  logic                 noise_q;
  logic                 rests_q, broken, exchange, again, is_reset;
  logic [2:0]           in_port, out_port;
  assign exchange = operation_q[7:6] == 2'd2;
  assign is_reset = operation_q[7:6] == 2'd1;
  assign again    = known_q && sequence_q == last_q;
  assign in_port  = operation_q[2:0];
  assign out_port = operation_q[5:3];

  logic refused;  // ports or operations that are not there
  assign refused = operation_q[7:6] == 2'd3 || 4'(in_port) >= 4'(Inputs) || 4'(out_port) >= 4'(Outputs);
  assign broken  = rx_error_i || (rests_q && state_q != Idle) ||
                   (state_q == Payload && rx_valid_i && in_write_o == '0);

  assign in_data_o   = rx_data_i;
  assign in_cancel_o = state_q == Skip || (state_q == Accept && (!exchange || again));
  assign out_acknowledge_o = state_q == Accept && exchange && !again;
  for (genvar p = 0; p < int'(Inputs); p++) begin : gen_in
    assign in_write_o[p]  = state_q == Payload && rx_valid_i && exchange && in_port == 3'(p) && in_room_i[p];
    assign in_commit_o[p] = out_acknowledge_o && in_port == 3'(p);
  end

  logic done;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Skip;
      rest_q  <= '0;
      rests_q <= 1'b0;
      known_q <= 1'b0;
    end else begin
      rest_q  <= (rx_valid_i || rx_error_i) ? '0 : rests_q ? rest_q : rest_q + 1'b1;
      rests_q <= !rx_valid_i && !rx_error_i && (rests_q || rest_q == GapBits'(Gap - 1));
      if (rx_valid_i) crc_q <= (state_q == Idle) ? '1 : crc(crc_q, rx_data_i);
      unique case (state_q)
        Idle:     if (rx_valid_i) state_q <= (rx_data_i == Sync) ? Sequence : Skip;
        Sequence: if (rx_valid_i) begin
          sequence_q <= rx_data_i;
          state_q    <= Operation;
        end
        Operation: if (rx_valid_i) begin
          operation_q <= rx_data_i;
          state_q     <= LengthLow;
        end
        LengthLow: if (rx_valid_i) begin
          left_q  <= 16'(rx_data_i);
          state_q <= LengthHigh;
        end
        LengthHigh: if (rx_valid_i) begin
          left_q[15:8] <= rx_data_i;
          state_q      <= refused ? Skip : ({rx_data_i, left_q[7:0]} == '0) ? CrcHigh : Payload;
        end
        Payload: if (rx_valid_i) begin
          left_q <= left_q - 1'b1;
          if (left_q == 16'd1) state_q <= CrcHigh;
        end
        CrcHigh:  if (rx_valid_i) state_q <= CrcLow;
        CrcLow:   if (rx_valid_i) state_q <= (crc(crc_q, rx_data_i) == '0) ? Accept : Skip;
        Skip:     if (rests_q) state_q <= Idle;
        Accept: begin
          state_q <= Settle;
          // A question changes nothing, so that it may be asked at any time.
          if (exchange) last_q <= sequence_q;
          if (exchange || is_reset) known_q <= exchange;
        end
        Settle:   state_q <= Begin;
        Begin:    state_q <= Answer;
        default:  if (done) state_q <= (noise_q || rx_valid_i) ? Skip : Idle;
      endcase
      // What comes before the answer has left belongs to nothing.
      noise_q <= state_q == Answer && (noise_q || rx_valid_i || rx_error_i);
      if (state_q != Skip && state_q < Accept && broken) state_q <= Skip;
    end
  end

  // The answer.
  logic [15:0] free_q, length_q, at_q, sum_q;
  logic [8*InfoSize-1:0] info;
  logic [7:0]  output_byte, next_byte, byte_q;
  logic [2:0]  wait_q;  // for the port's memory and byte_q
  typedef enum logic [1:0] {Head, Body, SumHigh, SumLow} part_t;
  part_t part_q;
  assign output_byte = out_data_i[8*out_port +: 8];
  assign info        = {Hash, Version};

  assign out_start_o = state_q == Begin && exchange;
  for (genvar p = 0; p < int'(Outputs); p++) begin : gen_out
    assign out_next_o[p] = tx_valid_o && tx_ready_i && part_q == Body && exchange && out_port == 3'(p);
  end
  assign tx_valid_o = state_q == Answer && wait_q == '0;
  assign tx_data_o  = byte_q;
  assign done       = tx_valid_o && tx_ready_i && part_q == SumLow;
  always_comb begin
    unique case (part_q)
      Head: unique case (at_q[2:0])
        3'd0:    next_byte = Sync;
        3'd1:    next_byte = sequence_q;
        3'd2:    next_byte = operation_q;
        3'd3:    next_byte = free_q[7:0];
        3'd4:    next_byte = free_q[15:8];
        3'd5:    next_byte = length_q[7:0];
        default: next_byte = length_q[15:8];
      endcase
      Body:    next_byte = exchange ? output_byte : info[8*at_q[3:0] +: 8];
      SumHigh: next_byte = sum_q[15:8];
      default: next_byte = sum_q[7:0];
    endcase
  end
  always_ff @(posedge clk_i) begin
    if (state_q == Begin) begin
      part_q   <= Head;
      at_q     <= '0;
      sum_q    <= '1;
      free_q   <= in_free_i[16*in_port +: 16];
      length_q <= exchange ? out_length_i[16*out_port +: 16] : 16'(InfoSize);
    end else if (tx_valid_o && tx_ready_i) begin
      at_q <= at_q + 1'b1;
      if (part_q == Body || (part_q == Head && at_q != '0)) sum_q <= crc(sum_q, byte_q);
      unique case (part_q)
        Head: if (at_q == 16'd6) begin
          part_q <= (length_q == '0) ? SumHigh : Body;
          at_q   <= '0;
        end
        Body:    if (at_q == length_q - 1'b1) part_q <= SumHigh;
        default: part_q <= SumLow;
      endcase
    end
    wait_q <= {wait_q[1:0], state_q == Begin || (tx_valid_o && tx_ready_i)};
    byte_q <= next_byte;
  end

  // A register that drives many; the ports are empty before an answer begins.
  always_ff @(posedge clk_i) reset_no <= rst_ni && !(is_reset && (state_q == Accept || state_q == Settle));
endmodule
