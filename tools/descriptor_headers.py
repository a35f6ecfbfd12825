"""Write both headers of the descriptors from their dataclasses: python -m tools.descriptor_headers

A test holds the checked-in headers to this text.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from dfcompile.loopback.descriptor import AccOp, Compute, Opcode, Target, Transfer, Unit, WeightReset, layout
from dfcompile.loopback.validate import ErrorCode

ROOT = Path(__file__).resolve().parent.parent
STRUCTS: tuple[type[Transfer] | type[Compute], ...] = (Transfer, Compute)
ENUMS: tuple[type[IntEnum], ...] = (Opcode, Target, AccOp, WeightReset, Unit, ErrorCode)
NOTE = "// Made from dfcompile/loopback/descriptor.py by `python -m tools.descriptor_headers`; do not edit."


def systemverilog() -> str:
    """Text of rtl/dfc_lb_descriptor.svh: packed structures, first field lowest."""
    lines = [NOTE, "`ifndef DFC_LB_DESCRIPTOR_SVH", "`define DFC_LB_DESCRIPTOR_SVH", ""]
    for enum in ENUMS:
        lines += [f"`define DFC_LB_{_snake(enum).upper()}_{e.name} {e.value}" for e in enum] + [""]
    for kind in STRUCTS:
        fields = layout(kind)
        used = sum(size for _, _, size in fields)
        lines.append("typedef struct packed {")
        lines.append(f"  logic [{kind.BITS - used - 1}:0] unused_bits;")
        lines += [f"  logic [{size - 1}:0] {name};" for name, _, size in reversed(fields)]
        lines += [f"}} dfc_lb_{kind.__name__.lower()}_t;", ""]
    return "\n".join([*lines, "`endif", ""])


def cpp() -> str:
    """Text of hls/dfc_lb_descriptor.hpp: plain structures and how they are read from bits."""
    lines = [NOTE, "#pragma once", "", '#include "dfc_common.hpp"', "", "namespace dfc {", ""]
    for enum in ENUMS:
        values = ", ".join(f"{_snake(enum)}_{e.name.lower()} = {e.value}" for e in enum)
        lines += [f"enum LbEnum{enum.__name__} {{ {values} }};", ""]
    for kind in STRUCTS:
        name = f"Lb{kind.__name__}"
        lines += [f"struct {name} {{", f"  static const int Bits = {kind.BITS};"]
        lines += [f"  ap_uint<{size}> {field};" for field, _, size in layout(kind)]
        lines += ["};", "", f"inline {name} lb_unpack_{kind.__name__.lower()}(const ap_uint<{kind.BITS}>& bits) {{"]
        lines += ["  DFC_INLINE", f"  {name} d;"]
        lines += [f"  d.{field} = ap_uint<{size}>(bits.range({at + size - 1}, {at}));" for field, at, size in layout(kind)]
        lines += ["  return d;", "}", ""]
    return "\n".join([*lines, "}  // namespace dfc", ""])


def _snake(enum: type[IntEnum]) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in enum.__name__).lstrip("_")


if __name__ == "__main__":
    (ROOT / "rtl" / "dfc_lb_descriptor.svh").write_text(systemverilog(), encoding="utf-8")
    (ROOT / "hls" / "dfc_lb_descriptor.hpp").write_text(cpp(), encoding="utf-8")
