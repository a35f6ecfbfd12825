# Vitis HLS (classic): vitis_hls -f run_hls.tcl
# Simulates, synthesises and packages Residual-1. For one unit alone: set top to one of
# split_up window_3x3 pool add
set top residual_1
open_project -reset project_$top
set_top $top
add_files residual_1.cpp -cflags "-std=c++17"
add_files split_up.cpp -cflags "-std=c++17"
add_files window_3x3.cpp -cflags "-std=c++17"
add_files pool.cpp -cflags "-std=c++17"
add_files add.cpp -cflags "-std=c++17"
add_files -tb testbench.cpp -cflags "-std=c++17"
add_files -tb vectors
open_solution -reset solution -flow_target vivado
set_part xczu7ev-ffvc1156-2-e
create_clock -period 3
csim_design
csynth_design
export_design -format ip_catalog
exit
