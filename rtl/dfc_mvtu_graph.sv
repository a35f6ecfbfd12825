// Matrix-vector-threshold unit of whole vectors: all Mh sums of Mw inputs come from adders of constants beside it, Stages registers deep.
// Latency Stages + 1, with thresholds OutBits more; one beat a cycle. Beats in flight wait where they have fewer bits: as results
// behind adders that never stall, or as inputs in front of adders whose stages move while one ahead of them is free. Outside both are alike.
`include "dfc_assert.svh"
module dfc_mvtu_graph #(
  parameter int unsigned Vectors         = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Mh              = 4,
  parameter int unsigned Mw              = 8,
  parameter int unsigned InBits          = 2,
  parameter int unsigned AccBits         = 8,
  parameter int unsigned AccSigned       = 1,
  parameter int unsigned ThreshBits      = 8,  // 0: no thresholds
  parameter int unsigned ThreshFactorBits = 0,
  parameter int unsigned ThreshShift     = 0,
  parameter int unsigned ThreshShared    = 0,
  parameter int unsigned Flip            = 0,
  parameter int unsigned OutBits         = 2,
  parameter int unsigned OutSigned       = 0,
  parameter int unsigned Stages          = 2,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 6,
  parameter              ThresholdsFile  = ""
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [Mw*InBits-1:0]  in_data_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  output logic [Mh*OutBits-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                  out_ready_i,
  // The adders: their inputs, when each stage's registers take what is in front of them, and their results.
  output logic [Mw*InBits-1:0]  sums_x_o,
  output logic [Stages-1:0]     sums_en_o,
  input  logic [Mh*AccBits-1:0] sums_i
);
  if (Vectors < 1 || Mh < 1 || Mw < 1 || Stages < 1 || (ThreshBits == 0 && OutBits != AccBits)) begin : gen_check
    $fatal(1, "dfc_mvtu_graph: sizes and Stages must be at least 1, and sums without thresholds be the outputs");
  end

  localparam bit Waiting = ThreshBits == 0 && Mw * InBits <= Mh * OutBits;  // for the adders

  logic [Stages-1:0] valid_q;  // a beat's sums are in the stage's registers
  if (Waiting) begin : gen_waiting
    if (Slots != Stages + 2) begin : gen_check_slots
      $fatal(1, "dfc_mvtu_graph: in front of the adders two beats wait, so Slots must be Stages + 2");
    end
    logic head_valid;
    dfc_fifo #(.Width(Mw * InBits), .Depth(2)) u_in (
      .clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o, .out_data_o(sums_x_o), .out_valid_o(head_valid), .out_ready_i(sums_en_o[0])
    );
    for (genvar s = 0; s < int'(Stages); s++) begin : gen_stage
      assign sums_en_o[s] = out_ready_i || !(&valid_q[Stages-1:s]);
    end
    always_ff @(posedge clk_i) begin
      valid_q <= rst_ni ? (sums_en_o & Stages'({valid_q, head_valid})) | (~sums_en_o & valid_q) : '0;
    end
    assign out_valid_o = valid_q[Stages-1];
    assign out_data_o  = sums_i;
    logic unused;
    assign unused = ^{AccSigned, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutSigned, ThresholdsStyle, ThresholdsFile == ""};
  end else begin : gen_flowing
    logic step, credit, push;
    logic [Mh*OutBits-1:0] results;
    assign in_ready_o = credit;
    assign step       = in_valid_i && credit;
    assign sums_x_o   = in_data_i;
    assign sums_en_o  = '1;
    always_ff @(posedge clk_i) valid_q <= rst_ni ? Stages'({valid_q, step}) : '0;
    if (ThreshBits != 0) begin : gen_thresholds
      dfc_threshold_core #(
        .File(ThresholdsFile), .Lanes(Mh), .Folds(1), .Shared(ThreshShared), .AccBits(AccBits), .AccSigned(AccSigned),
        .ThreshBits(ThreshBits), .FactorBits(ThreshFactorBits), .Shift(ThreshShift), .OutBits(OutBits), .OutSigned(OutSigned),
        .Flip(Flip), .Style(ThresholdsStyle)
      ) u_thresholds (.clk_i, .rst_ni, .valid_i(valid_q[Stages-1]), .acc_i(sums_i), .valid_o(push), .codes_o(results));
    end else begin : gen_sums
      assign push    = valid_q[Stages-1];
      assign results = sums_i;
      logic unused;
      assign unused = ^{AccSigned, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutSigned, ThresholdsStyle, ThresholdsFile == ""};
    end
    dfc_stream_out #(.Width(Mh * OutBits), .Slots(Slots)) u_out (
      .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(push), .data_i(results), .out_data_o, .out_valid_o, .out_ready_i
    );
  end

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
