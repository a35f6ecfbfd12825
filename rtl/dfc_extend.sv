// The elements of a beat in a wider type, same values; combinational.
module dfc_extend #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned InBits = 8,
  parameter int unsigned InSigned = 0,
  parameter int unsigned InBipolar = 0,
  parameter int unsigned OutBits = 8,
  parameter int unsigned OutBipolar = 0
) (
  input  logic [Lanes*InBits-1:0]  in_i,
  output logic [Lanes*OutBits-1:0] out_o
);
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    logic [InBits-1:0]  code;
    logic [OutBits-1:0] value;
    assign code = in_i[i*InBits+:InBits];
    if (InBipolar != 0 && OutBipolar == 0) begin : gen_bipolar
      assign value = {{(OutBits - 1) {!code}}, 1'b1};  // -1 or +1
    end else if (InSigned != 0 && OutBipolar == 0) begin : gen_signed
      assign value = OutBits'($signed(code));
    end else begin : gen_unsigned
      assign value = OutBits'(code);
    end
    assign out_o[i*OutBits+:OutBits] = value;
  end
endmodule
