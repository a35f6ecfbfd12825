# Vitis HLS (classic): vitis_hls -f run_hls.tcl
# C simulation, synthesis, simulation of the hardware, packaging: Residual-1.
# For one unit alone: set top to dfc_top_UNIT, UNIT one of split_up window_3x3 pool add;
# a unit has no test bench of its own, so only synthesis and packaging are run.

set top residual_1
open_project -reset project_$top
set_top $top
if {$top eq "residual_1"} {
  add_files residual_1.cpp -cflags "-std=c++14"
  add_files split_up.cpp -cflags "-std=c++14"
  add_files window_3x3.cpp -cflags "-std=c++14"
  add_files pool.cpp -cflags "-std=c++14"
  add_files add.cpp -cflags "-std=c++14"
  add_files -tb testbench.cpp -cflags "-std=c++14"
  add_files -tb vectors
} else {
  add_files unit/[string range $top 8 end].cpp -cflags "-std=c++14"
}
open_solution -reset solution -flow_target vivado
set_part xczu7ev-ffvc1156-2-e
create_clock -period 3
set_clock_uncertainty 27%
if {$top eq "residual_1"} { csim_design }
csynth_design
if {$top eq "residual_1"} { cosim_design }
export_design -format ip_catalog -vendor dfcompile -library hls -ipname $top -version 0.1 \
  -display_name $top -description {made by dfcompile 0.1.0 from a quantized network}
exit
