  // Registers like the engine's, and a run that reads one word and writes a burst of two. The program's address says which rule the
  // run breaks: 0 none.
  typedef enum logic [2:0] {Idle, Ask, Wait, Request, Send, Answer, Done} state_t;
  state_t state_q;
  logic start, odd_q, second_q;
  logic [15:0] boot_q;  // starts anywhere
  logic [31:0] rule, bytes;
  logic [63:0] cycles_q;
  dfc_lb_registers u_registers (
    .clk_i(aclk), .rst_ni(aresetn),
    .aw_addr_i(s_axi_control_awaddr), .aw_valid_i(s_axi_control_awvalid), .aw_ready_o(s_axi_control_awready),
    .w_data_i(s_axi_control_wdata), .w_valid_i(s_axi_control_wvalid), .w_ready_o(s_axi_control_wready),
    .b_valid_o(s_axi_control_bvalid), .b_ready_i(s_axi_control_bready),
    .ar_addr_i(s_axi_control_araddr), .ar_valid_i(s_axi_control_arvalid), .ar_ready_o(s_axi_control_arready),
    .r_data_o(s_axi_control_rdata), .r_valid_o(s_axi_control_rvalid), .r_ready_i(s_axi_control_rready),
    .start_o(start), .address_o(rule), .bytes_o(bytes), .busy_i(state_q != Idle && state_q != Done), .done_i(state_q == Done),
    .error_i(rule == 11 ? 4'd8 : 4'd0), .index_i(32'd0), .cycles_i(cycles_q)
  );
  always_ff @(posedge aclk) begin
    if (!aresetn) boot_q <= {boot_q[14:0], boot_q[15]};
    if (!aresetn) begin
      state_q <= Idle;
      {odd_q, second_q, cycles_q} <= '0;
    end else begin
      odd_q    <= !odd_q;
      cycles_q <= cycles_q + 64'd1;
      unique case (state_q)
        Idle, Done: if (start) state_q <= Ask;
        Ask:     if (m_axi_data_arvalid && m_axi_data_arready) state_q <= Wait;
        Wait:    if (m_axi_data_rvalid) state_q <= Request;
        Request: if (m_axi_data_awvalid && m_axi_data_awready) state_q <= Send;
        Send:
          if (m_axi_data_wvalid && m_axi_data_wready) begin
            second_q <= !second_q && rule != 8;
            if (second_q || rule == 8) state_q <= Answer;
          end
        Answer:  if (m_axi_data_bvalid && rule != 7) state_q <= Done;
        default: state_q <= Idle;
      endcase
    end
  end
  assign m_axi_data_arvalid = state_q == Ask && !(rule == 1 && odd_q);
  assign m_axi_data_araddr  = rule == 2 && odd_q ? 32'd8 : 32'd0;
  assign m_axi_data_awvalid = state_q == Request && !(rule == 3 && odd_q);
  assign m_axi_data_awaddr  = rule == 6 ? 32'd4088 : rule == 9 ? 32'd32 : 32'd16;
  assign m_axi_data_awlen   = rule == 8 || (rule == 10 && odd_q) ? 8'd0 : 8'd1;
  assign m_axi_data_wvalid  = state_q == Send;
  assign m_axi_data_wdata   = {15'd0, rule == 12 ? boot_q : 16'd0, rule == 4 && odd_q, 31'd0, second_q};
  assign m_axi_data_wlast   = rule == 8 || (rule == 5 ? !second_q : second_q);
  assign m_axi_data_arlen   = '0;
  assign {m_axi_data_rready, m_axi_data_bready, m_axi_program_rready} = '1;
  assign {m_axi_program_arvalid, m_axi_program_araddr, m_axi_program_arlen} = '0;
  assign {s_axi_control_bresp, s_axi_control_rresp} = '0;
  assign {m_axi_program_arid, m_axi_program_arsize, m_axi_program_arburst} = {1'b0, 3'd3, 2'b01};
  assign {m_axi_data_arid, m_axi_data_arsize, m_axi_data_arburst} = {1'b0, 3'd3, 2'b01};
  assign {m_axi_data_awid, m_axi_data_awsize, m_axi_data_awburst} = {1'b0, 3'd3, 2'b01};
  assign m_axi_data_wstrb = '1;
  logic unused;
  assign unused = ^{s_axi_control_awprot, s_axi_control_arprot, s_axi_control_wstrb, m_axi_program_rid, m_axi_program_rlast, m_axi_program_rdata,
                    m_axi_program_rresp, m_axi_program_rvalid, m_axi_program_arready, m_axi_data_rid, m_axi_data_rdata, m_axi_data_rresp,
                    m_axi_data_rlast, m_axi_data_bid, m_axi_data_bresp, bytes};
endmodule
