"""Open synthesis of single units: Yosys from PyPI, area counted from its netlist."""
