// Made from dfcompile/loopback/descriptor.py by `python -m tools.descriptor_headers`; do not edit.
`ifndef DFC_LB_DESCRIPTOR_SVH
`define DFC_LB_DESCRIPTOR_SVH

`define DFC_LB_OPCODE_LOAD 1
`define DFC_LB_OPCODE_COMPUTE 2
`define DFC_LB_OPCODE_STORE 3
`define DFC_LB_OPCODE_FINISH 4
`define DFC_LB_OPCODE_REPEAT 5

`define DFC_LB_TARGET_ACT 0
`define DFC_LB_TARGET_WEIGHT 1
`define DFC_LB_TARGET_TREE 2
`define DFC_LB_TARGET_LIST 3

`define DFC_LB_ACC_OP_ADD 0
`define DFC_LB_ACC_OP_MAX 1
`define DFC_LB_ACC_OP_MIN 2
`define DFC_LB_ACC_OP_ARGMAX 3
`define DFC_LB_ACC_OP_ARGMAX_LAST 4
`define DFC_LB_ACC_OP_MUL 5

`define DFC_LB_WEIGHT_RESET_VECTOR 0
`define DFC_LB_WEIGHT_RESET_PASS 1
`define DFC_LB_WEIGHT_RESET_TAP 2
`define DFC_LB_WEIGHT_RESET_ROW 3

`define DFC_LB_UNIT_LOAD 0
`define DFC_LB_UNIT_COMPUTE 1
`define DFC_LB_UNIT_STORE 2

`define DFC_LB_ERROR_CODE_NONE 0
`define DFC_LB_ERROR_CODE_OPCODE 1
`define DFC_LB_ERROR_CODE_TRANSFER 2
`define DFC_LB_ERROR_CODE_LOOP 3
`define DFC_LB_ERROR_CODE_TREE 4
`define DFC_LB_ERROR_CODE_WEIGHT 5
`define DFC_LB_ERROR_CODE_RESULT 6
`define DFC_LB_ERROR_CODE_ACT_RANGE 7
`define DFC_LB_ERROR_CODE_BUS 8
`define DFC_LB_ERROR_CODE_TIMEOUT 9
`define DFC_LB_ERROR_CODE_LENGTH 10

typedef struct packed {
  logic [9:0] unused_bits;
  logic [23:0] words;
  logic [1:0] coded;
  logic [31:0] address;
  logic [23:0] beats;
  logic [23:0] inner;
  logic [1:0] target;
  logic [2:0] signals;
  logic [2:0] waits;
  logic [3:0] opcode;
} dfc_lb_transfer_t;

typedef struct packed {
  logic [3:0] unused_bits;
  logic [0:0] listed;
  logic [0:0] root;
  logic [5:0] scale_shift;
  logic [0:0] scale;
  logic [17:0] start_2;
  logic [17:0] start_1;
  logic [7:0] idle;
  logic [6:0] lane;
  logic [5:0] writes;
  logic [23:0] dst_p;
  logic [23:0] dst_w;
  logic [23:0] dst_h;
  logic [23:0] dst_n;
  logic [23:0] dst;
  logic [19:0] weight;
  logic [12:0] x_size;
  logic [7:0] x_tap;
  logic [7:0] x_step;
  logic [13:0] x_first;
  logic [12:0] y_size;
  logic [7:0] y_tap;
  logic [7:0] y_step;
  logic [13:0] y_first;
  logic [23:0] tap_w;
  logic [23:0] tap_h;
  logic [23:0] offset_3;
  logic [23:0] offset_2;
  logic [23:0] offset_1;
  logic [23:0] src_w;
  logic [23:0] src_h;
  logic [23:0] src_n;
  logic [23:0] src;
  logic [11:0] words;
  logic [7:0] kernel_w;
  logic [7:0] kernel_h;
  logic [11:0] width_out;
  logic [11:0] height;
  logic [7:0] batch;
  logic [7:0] pad_3;
  logic [7:0] pad_2;
  logic [7:0] pad_1;
  logic [7:0] pad;
  logic [0:0] shift_3;
  logic [0:0] shift_2;
  logic [0:0] shift_1;
  logic [1:0] passes;
  logic [2:0] planes;
  logic [0:0] lookup;
  logic [0:0] twice;
  logic [1:0] bank;
  logic [3:0] levels;
  logic [1:0] width;
  logic [1:0] reset;
  logic [0:0] acc_store;
  logic [0:0] acc_load;
  logic [2:0] op;
  logic [0:0] drain;
  logic [2:0] signals;
  logic [2:0] waits;
  logic [3:0] opcode;
} dfc_lb_compute_t;

`endif
