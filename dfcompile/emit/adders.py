"""The adders of a constant matrix as text, one line each: a SystemVerilog module, and a C++ struct of the same expressions."""

from __future__ import annotations

from dataclasses import dataclass

from dfcompile.units.parts.adder_graph import ADD, NEGATE, NOTHING, SUB, Sums


@dataclass(frozen=True)
class _Node:
    """A node as a variable: its name, bits and whether it is signed."""

    name: str
    bits: int
    signed: bool


def _nodes(sums: Sums) -> list[_Node]:
    graph = sums.pipeline.graph
    sizes = zip(graph.bits.tolist(), graph.signed.tolist(), strict=True)
    return [_Node(f"x{n}" if n < graph.inputs else f"n{n}", bits, signed) for n, (bits, signed) in enumerate(sizes)]


def _sum(sums: Sums, adder: int, left: str, right: str, zero: str) -> str:
    """The expression of an adder, operands cast to its width."""
    graph = sums.pipeline.graph
    kind, shift = int(graph.kind[adder]), int(graph.shift[adder])
    shifted = f"({right} << {shift})" if shift else right
    if graph.shifted_out[adder]:
        return left if kind in (ADD, SUB) else f"{zero} - {left}"
    if kind == NEGATE:
        return f"{zero} - {left}"
    if kind == ADD:
        return f"{left} + {shifted}"
    return f"{left} - {shifted}" if kind == SUB else f"{shifted} - {left}"


def _title(sums: Sums, text: str) -> str:
    graph = sums.pipeline.graph
    return f"// {graph.adders} adders of constants for {len(graph.out)} sums of {graph.inputs} inputs: {text}"


def rtl_adders(sums: Sums, module: str) -> str:
    """A module with the sums of `sums.x` inputs, lowest first."""
    pipe, graph, nodes = sums.pipeline, sums.pipeline.graph, _nodes(sums)
    stage, until = pipe.stage.tolist(), pipe.until.tolist()

    def held(node: int, when: int) -> str:
        """A node as it is in a stage: itself where it is added, else in the register in front of the stage."""
        return nodes[node].name if when == stage[node] else f"{nodes[node].name}_{when}"

    def declared(node: int, name: str) -> str:
        return f"  logic {'signed ' if nodes[node].signed else ''}[{nodes[node].bits - 1}:0] {name};"

    lines = [
        _title(sums, "nN is a node, nN_S the same behind S stages of registers, which take it while en_i[S-1]."),
        f"module {module} (",
        "  input  logic clk_i,",
        f"  input  logic [{pipe.stages - 1}:0] en_i,",
        f"  input  logic [{graph.inputs * sums.x.bits - 1}:0] x_i,",
        f"  output logic [{len(graph.out) * sums.sum.bits - 1}:0] sums_o",
        ");",
    ]
    for n in (n for n in range(graph.inputs) if nodes[n].bits):
        lines += [declared(n, nodes[n].name), f"  assign {nodes[n].name} = {_rtl_input(sums, n)};"]
    for s in range(pipe.stages):
        lines.append(f"\n  // Stage {s}")
        for n in (n for n in range(graph.inputs, len(nodes)) if stage[n] == s and nodes[n].bits):
            i, bits = n - graph.inputs, nodes[n].bits
            left, right = (f"{bits}'({held(int(v), s)})" for v in (graph.left[i], graph.right[i]))
            made = _sum(sums, i, left, right, f"{bits}'(0)")
            lines += [declared(n, nodes[n].name), f"  assign {nodes[n].name} = {made};"]
        moved = [n for n in range(len(nodes)) if stage[n] <= s < until[n]]
        lines += [declared(n, held(n, s + 1)) for n in moved]
        lines.append(f"  always_ff @(posedge clk_i) if (en_i[{s}]) begin")
        lines += [f"    {held(n, s + 1)} <= {held(n, s)};" for n in moved]
        lines.append("  end")
    lines.append("")
    for o, (n, shift) in enumerate(zip(graph.out.tolist(), graph.out_shift.tolist(), strict=True)):
        value = "'0" if n == NOTHING else f"{sums.sum.bits}'({held(n, pipe.stages)})" + (f" << {shift}" if shift else "")
        lines.append(f"  assign sums_o[{o * sums.sum.bits} +: {sums.sum.bits}] = {value};")
    unused = ["x_i"] * _has_dead_inputs(sums) + [held(n, pipe.stages) for n in _wider(sums)]
    if unused:
        lines.append(f"  logic unused;\n  assign unused = ^{{{', '.join(unused)}}};  // bits without a weight, or above what a sum can be")
    return "\n".join([*lines, "endmodule", ""])


def _has_dead_inputs(sums: Sums) -> bool:
    """Whether some bits of inputs have no weight but 0."""
    graph = sums.pipeline.graph
    return bool(graph.bits[: graph.inputs].min() < (2 if sums.x.bipolar else sums.x.bits))


def _wider(sums: Sums) -> list[int]:
    """Nodes that become sums and have more bits than those: the graph knows less of them than was proven of the sums."""
    graph = sums.pipeline.graph
    outs = zip(graph.out.tolist(), graph.out_shift.tolist(), strict=True)
    return sorted({n for n, shift in outs if n != NOTHING and graph.bits[n] + shift > sums.sum.bits})


def _rtl_input(sums: Sums, n: int) -> str:
    """An input's value: of a bipolar one -1 or +1 in two bits, of which +1 has the higher one clear."""
    bits = int(sums.pipeline.graph.bits[n])
    if sums.x.bipolar:
        return f"{{~x_i[{n}], 1'b1}}" if bits == 2 else "1'b1"
    return f"x_i[{n * sums.x.bits} +: {bits}]"


def hls_adders(sums: Sums, name: str) -> str:
    """A struct whose `add` makes the sums of a beat of inputs."""
    graph, nodes = sums.pipeline.graph, _nodes(sums)
    inputs = "beat" if graph.bits[: graph.inputs].any() else ""
    result = f"dfc::integer<{sums.sum.bits}, {str(sums.sum.signed).lower()}>"
    lines = [
        _title(sums, "nN is a node."),
        f"struct {name} {{",
        f"  static void add(const ap_uint<{graph.inputs * sums.x.bits}>& {inputs}, {result} (&sums)[{len(graph.out)}]) {{",
        "    DFC_INLINE",
    ]
    for n in (n for n in range(graph.inputs) if nodes[n].bits):
        value = f"dfc::as_integer<{str(sums.x.signed).lower()}>(dfc::element<{sums.x.bits}>(beat, {n}))"
        value = f"beat[{n}] ? 1 : -1" if sums.x.bipolar else value
        lines.append(f"    const {_integer(nodes[n])} x{n} = {value};")
    for i, n in ((n - graph.inputs, n) for n in range(graph.inputs, len(nodes)) if nodes[n].bits):
        cast = f"ap_int<{nodes[n].bits}>"
        left, right = (f"{cast}({nodes[int(v)].name})" for v in (graph.left[i], graph.right[i]))
        made = _sum(sums, i, left, right, f"{cast}(0)")
        lines.append(f"    const {_integer(nodes[n])} {nodes[n].name} = {made};")
    for o, (n, shift) in enumerate(zip(graph.out.tolist(), graph.out_shift.tolist(), strict=True)):
        value = "0" if n == NOTHING else f"{result}({nodes[n].name})" + (f" << {shift}" if shift else "")
        lines.append(f"    sums[{o}] = {value};")
    return "\n".join([*lines, "  }", "};", ""])


def _integer(node: _Node) -> str:
    return f"{'ap_int' if node.signed else 'ap_uint'}<{node.bits}>"
