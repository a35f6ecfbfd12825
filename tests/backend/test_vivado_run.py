"""Vivado by the command line, with a stand-in for the tool: what is run, and what is read of its reports."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

import dfcompile as dfc
from dfcompile.command.cli import main
from dfcompile.device.resources import Resources
from dfcompile.errors import CompileError
from dfcompile.synthesis.vivado import Timing, read_hierarchy, read_timing, read_totals
from tests.conftest import ROOT

pytest.importorskip("tkinter", reason="Python was built without Tcl, which the stand-in runs scripts with")

SEVEN = """Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
| Design       : top
| Device       : xc7z020clg400-1

1. Slice Logic
--------------
+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| Slice LUTs                 | 1234 |     0 |          0 |     53200 |  2.32 |
|   LUT as Logic             | 1200 |     0 |          0 |     53200 |  2.26 |
| Slice Registers            |  987 |     0 |          0 |    106400 |  0.93 |
+----------------------------+------+-------+------------+-----------+-------+

2. Memory
| Block RAM Tile |  2.5 |     0 |          0 |       140 |  1.79 |
|   RAMB36/FIFO* |    2 |     0 |          0 |       140 |  1.43 |

3. DSP
| DSPs      |    4 |     0 |          0 |       220 |  1.82 |
"""
PLUS = """| CLB LUTs*                  | 4000 |     0 |          0 |    117120 |  3.42 |
| CLB Registers              | 5000 |     0 |          0 |    234240 |  2.13 |
| Block RAM Tile    |    3 |     0 |          0 |       144 |  2.08 |
| URAM              |    8 |     0 |          0 |        64 | 12.50 |
| DSPs           |   12 |     0 |          0 |      1248 |  0.96 |
"""
UNITS = """1. Utilization by Hierarchy
+-------------------------------+----------------+------------+------------+---------+------+-----+--------+--------+------------+
|            Instance           |     Module     | Total LUTs | Logic LUTs | LUTRAMs | SRLs | FFs | RAMB36 | RAMB18 | DSP Blocks |
+-------------------------------+----------------+------------+------------+---------+------+-----+--------+--------+------------+
| digits_mlp_w1a1_ip            |          (top) |       1234 |       1200 |      30 |    4 | 987 |      2 |      1 |          4 |
|   u_top                       | digits_mlp_w1a1|       1230 |       1196 |      30 |    4 | 980 |      2 |      1 |          4 |
|     (u_top)                   | digits_mlp_w1a1|         10 |         10 |       0 |    0 |  20 |      0 |      0 |          0 |
|     u_core                    |  digits_mlp_c  |       1220 |       1186 |      30 |    4 | 960 |      2 |      1 |          4 |
|       u_conv_matmul_0         |       dfc_mvtu |        700 |        690 |      10 |    0 | 400 |      2 |      0 |          4 |
|       u_conv_matmul_0__weights|        dfc_rom |          7 |          7 |       0 |    0 |   3 |      0 |      1 |          0 |
+-------------------------------+----------------+------------+------------+---------+------+-----+--------+--------+------------+
"""
TIMING = """------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
    -------      -------  ---------------------  -------------------      -------      -------
      {slack}        0.000                      0                 2743        0.051        0.000

Max Delay Paths
--------------------------------------------------------------------------------------
Slack ({met}) :             {slack}ns  (required time - arrival time)
  Source:                 system_i/accelerator/inst/u_top/u_core/u_conv_matmul_0/sum_q_reg[3]/C
                            (rising edge-triggered cell FDRE clocked by clk_fpga_0)
  Destination:            system_i/accelerator/inst/u_top/u_core/u_conv_matmul_1__weights/data_q_reg[0]/D
                            (rising edge-triggered cell FDRE clocked by clk_fpga_0)
"""


def timing(slack: str) -> str:
    return TIMING.format(slack=slack, met="VIOLATED" if slack.startswith("-") else "MET")


def test_totals() -> None:
    assert read_totals(SEVEN) == Resources(1234, 987, 2.5, 0, 4)
    assert read_totals(PLUS) == Resources(4000, 5000, 3, 8, 12)


def test_units() -> None:
    found = read_hierarchy(UNITS)
    assert found[""] == Resources(1234, 987, 2.5, 0, 4) and found["u_top/u_core"] == Resources(1220, 960, 2.5, 0, 4)
    assert found["u_top/u_core/u_conv_matmul_0"] == Resources(700, 400, 2, 0, 4)
    assert found["u_top/u_core/u_conv_matmul_0__weights"] == Resources(7, 3, 0.5, 0, 0)
    ultra = re.sub(r"\| +(\d+) \|$", r"| 6 | \1 |", UNITS.replace("| DSP Blocks", "| URAM | DSP48 Blocks"), flags=re.MULTILINE)
    assert read_hierarchy(ultra)["u_top"] == Resources(1230, 980, 2.5, 6, 4)


def test_paths() -> None:
    start, end = "u_top/u_core/u_conv_matmul_0/sum_q_reg[3]/C", "u_top/u_core/u_conv_matmul_1__weights/data_q_reg[0]/D"
    prefix = "system_i/accelerator/inst/"
    assert read_timing(timing("1.250")) == Timing(1.25, prefix + start, prefix + end)
    assert read_timing(timing("-0.500")).slack == -0.5


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_totals, ""),
        (read_totals, SEVEN.replace("| DSPs", "| DSQs")),
        (read_totals, SEVEN.replace("1234", "many")),
        (read_hierarchy, SEVEN),
        (read_hierarchy, UNITS.replace("RAMB18", "RAMB17")),
        (read_hierarchy, UNITS.replace("          4 |", "")),
        (read_timing, SEVEN),
        (read_timing, timing("NA")),
    ],
)
def test_other_texts_are_refused(read: object, text: str) -> None:
    with pytest.raises(CompileError, match="report of Vivado is not as documented"):
        read(text)  # type: ignore[operator]


STAND_IN = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tools.vivado_strict import Vivado
Vivado().run(Path(sys.argv[sys.argv.index("-source") + 1]), Path("."))
for name, text in {reports!r}.items():
    if Path(name).exists():
        Path(name).write_text(text)
print("ERROR: [Common 17-69] it fails" if {status} else "done")
sys.exit({status})
"""


def stand_in(folder: Path, slack: str, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> None:
    """A `vivado` on PATH that runs scripts strictly and leaves the reports above."""
    reports = {"utilisation.txt": SEVEN, "hierarchy.txt": UNITS, "timing.txt": timing(slack)}
    folder.mkdir(exist_ok=True)
    (folder / "vivado").write_text(STAND_IN.format(python=sys.executable, root=str(ROOT), reports=reports, status=status))
    (folder / "vivado").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    dfc.build(examples / "digits_mlp_w1a1.onnx", board="pynq-z2", interval=1024, verify=False).save(out)
    return out


@pytest.fixture
def out(build: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(build, tmp_path / "out"))


Capture = pytest.CaptureFixture[str]


def test_without_vivado(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for command in (["bitstream", str(out)], ["synth", str(out), "--tool", "vivado"]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert "error[missing-tool]: 'vivado' is not on PATH" in said and "vivado -mode batch -source" in said


def test_a_bitstream(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "1.250", monkeypatch)
    assert main(["bitstream", str(out)]) == 0
    said = capsys.readouterr().out
    assert "vivado: 114.29 MHz, 100 MHz reached" in said and "conv_matmul_0, conv_matmul_1" in said
    found = json.loads((out / "report.json").read_text())["implementation"]
    assert (found["lut"], found["ff"], found["ram"], found["dsp"], found["fmax_mhz"]) == (1234, 987, 2.5, 4, 114.29)
    assert (out / "vivado" / "design.bit").exists() and (out / "vivado" / "design.hwh").exists()
    assert main(["bitstream", str(out), "--quiet"]) == 0  # once more, over its own files


def test_a_missed_clock(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "-2.500", monkeypatch)
    assert main(["bitstream", str(out), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "the design reaches 80.0 MHz of 100 MHz" in said and "--clock 80, or go on with --allow-timing-fail" in said
    assert (
        not (out / "vivado" / "design.bit").exists() and json.loads((out / "report.json").read_text())["implementation"]["fmax_mhz"] == 80
    )
    assert main(["bitstream", str(out), "--quiet", "--allow-timing-fail"]) == 0 and (out / "vivado" / "design.bit").exists()


def test_a_failed_run(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "1.250", monkeypatch, status=1)
    assert main(["bitstream", str(out), "--quiet"]) == 1
    assert "vivado ended with status 1" in (said := capsys.readouterr().err) and "[Common 17-69] it fails" in said


def test_units_by_themselves(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "0.000", monkeypatch)
    assert main(["synth", str(out), "--tool", "vivado", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {u["name"]: u for u in found["units"]}
    assert rows["conv_matmul_0"]["synthesised"] == {"lut": 707, "ff": 403, "bram36": 2.5, "uram": 0, "dsp": 4}
    assert rows["conv_matmul_0"]["estimated"]["lut"] > 0 and rows["conv_matmul_1"]["synthesised"]["lut"] == 0
    assert rows["between units"]["synthesised"]["lut"] == 1234 - 707
    assert sum(u["synthesised"]["ff"] for u in found["units"]) == found["total"]["synthesised"]["ff"] == 987
    assert found["fmax_mhz"] == 100 and found["critical_path"] == ["conv_matmul_0", "conv_matmul_1"]
    assert main(["synth", str(out), "--tool", "vivado", "--device", "xcup"]) == 1
    assert "leave --device out" in capsys.readouterr().err


def test_other_builds(examples: Path, tmp_path: Path, capsys: Capture) -> None:
    dfc.build(examples / "digits_mlp_w1a1.onnx", board="ecp5-85f", interval=1024, verify=False).save(tmp_path / "out")
    assert main(["synth", str(tmp_path / "out"), "--tool", "vivado"]) == 1
    assert "error[no-scripts]" in (said := capsys.readouterr().err) and "it was built for no AMD board" in said


WRONG = [3, [], {}, {"kind": "jtag"}, {"kind": "zynq"}, {"ports": -1}, {"ports": "4"}, {"port_bits": True}, {"board_part": "a]"}]


def test_a_damaged_board_of_a_build(out: Path, capsys: Capture) -> None:
    whole = json.loads((out / "design.json").read_text())
    kept = whole["options"]["map"]["vivado"]["map"]
    for wrong in WRONG:
        changed = {"map": {**kept, **wrong} if isinstance(wrong, dict) and wrong.keys() & {"ports", "port_bits", "board_part"} else wrong}
        whole["options"]["map"]["vivado"] = changed if isinstance(wrong, dict) else wrong
        (out / "design.json").write_text(json.dumps(whole))
        assert main(["bitstream", str(out)]) == 1
        said = capsys.readouterr().err
        assert said.startswith("error[") and "options" in said, (wrong, said)


LINKER = """#!{python}
import sys
from pathlib import Path
known = {{"--compile": 0, "--link": 0, "--target": 1, "--platform": 1, "--kernel": 1, "--config": 1, "--report_level": 1, "-o": 1}}
given, files = {{}}, []
rest = iter(sys.argv[1:])
for word in rest:
    if word.startswith("-"):
        given[word] = next(rest) if known[word] else ""
    else:
        files.append(word)
assert all(Path(f).is_file() for f in files), files
if "--compile" in given:
    assert f"void {{given['--kernel']}}(" in Path(files[0]).read_text() and given["--platform"].startswith("xilinx_u250_")
else:
    run = Path("_x/link/vivado/vpl/prj/prj.runs/impl_1")
    run.mkdir(parents=True)
    (run / "level0_wrapper_utilization_placed_routed.rpt").write_text({totals!r})
    (run / "level0_wrapper_timing_summary_postroute_routed.rpt").write_text({timing!r})
    wanted = [line[3:].split(":")[0] + ".xo" for line in Path(given["--config"]).read_text().splitlines() if line.startswith("nk=")]
    assert wanted == files, (wanted, files)
Path(given["-o"]).write_bytes(b"")
"""


def test_a_card(examples: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    """The kernel by Vivado, the kernels that move frames and the link by v++; without v++ the tool that is missing is named."""
    out = tmp_path / "out"
    dfc.build(examples / "digits_mlp_w1a1.onnx", board="alveo-u250", interval=1024, verify=False).save(out)
    stand_in(tmp_path / "bin", "1.250", monkeypatch)
    assert main(["bitstream", str(out), "--quiet"]) == 1
    assert "'v++' is not on PATH" in capsys.readouterr().err
    linker = tmp_path / "bin" / "v++"
    linker.write_text(LINKER.format(python=sys.executable, totals=PLUS, timing=timing("1.000")))
    linker.chmod(0o755)
    assert main(["bitstream", str(out), "--quiet"]) == 0
    assert (out / "vivado" / "design.xclbin").exists()
    assert json.loads((out / "report.json").read_text())["implementation"]["fmax_mhz"] == 250


def test_a_board_that_does_not_take_the_design(examples: Path, tmp_path: Path, capsys: Capture) -> None:
    dfc.build(examples / "digits_mlp_w1a1.onnx", board="arty-a7-100t", mode="loopback", verify=False).save(tmp_path / "out")
    assert main(["bitstream", str(tmp_path / "out")]) == 1
    assert "the loopback engine needs an external memory" in (said := capsys.readouterr().err) and "--tool vivado" in said
