"""Build options and boards: what is written is read back, what is wrong is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.device.boards import boards, find_board
from dfcompile.errors import SettingError
from dfcompile.options import MODES, Options, parse_input_type, read_config
from tests.conftest import ROOT

ODD_TEXT = 'a "quoted" \\ name.json'
RATES = st.one_of(
    st.fixed_dictionaries({"fps": st.floats(0.001, 1e6)}), st.fixed_dictionaries({"interval": st.integers(1, 10**11)}), st.just({})
)


@given(
    RATES,
    st.sampled_from(MODES),
    st.sampled_from([None, *boards()]),
    st.none() | st.floats(1, 1000),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(["uint8:1/255", "bipolar", "int4:0.5:-1"]), max_size=3),
    st.lists(st.sampled_from(["/a/b_0", ODD_TEXT]), max_size=2),
)
def test_written_options_are_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    rate: dict[str, float],
    mode: str,
    board: str | None,
    clock: float | None,
    argmax: bool,
    verify: bool,
    types: list[str],
    cut: list[str],
) -> None:
    lists = {"input_type": tuple(types), "from_": tuple(cut), "to": tuple(cut[::-1])}
    config = Options(**rate, **lists, mode=mode, board=board, clock=clock, argmax=argmax, verify=verify)  # type: ignore[arg-type]
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(config.toml(), encoding="utf-8")
    assert Options().merged(read_config(path)) == config


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "build.toml"
    path.write_text(Options(folding=ODD_TEXT).toml(board="mine.toml"), encoding="utf-8")
    assert read_config(path) == {
        "mode": "auto",
        "folding": str(tmp_path / ODD_TEXT),
        "board": str(tmp_path / "mine.toml"),
        "input_type": (),
        "from_": (),
        "to": (),
        "argmax": False,
        "streaming": False,
        "verify": True,
        "stream_weights": "auto",
        "copies": 1,
    }


def test_the_command_line_wins() -> None:
    from_file = Options(interval=1024, mode="dataflow", input_type=("uint8",))
    assert from_file.merged({"fps": 30.0, "mode": None, "input_type": ()}) == Options(fps=30.0, mode="dataflow", input_type=("uint8",))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("uint8", ("uint8", Fraction(1), Fraction(0))),
        ("uint8:1/255", ("uint8", Fraction(1, 255), Fraction(0))),
        ("int4:0.5:-3/4", ("int4", Fraction(1, 2), Fraction(-3, 4))),
        ("bipolar:1e-3", ("bipolar", Fraction(1, 1000), Fraction(0))),
        ("uint4:0.0625:-0.0", ("uint4", Fraction(1, 16), Fraction(0))),
    ],
)
def test_input_types(text: str, wanted: tuple[str, Fraction, Fraction]) -> None:
    assert parse_input_type(text) == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "''"), ("uint", "'uint'"), ("uint0", "'uint0'"), ("float16", "'float16'"), ("uint8:", "'' is not a number"),
        ("uint8:-1", "the scale must be above 0"), ("uint8:1/0", "'1/0' divides by 0"), ("uint8:nan", "'nan' is out of range"),
        ("uint8:1:2:3", "too many fields"), ("uint8:1/2/3", "'1/2/3' is not a number"), ("uint8:1e99", "'1e99' is out of range"),
    ],
)  # fmt: skip
def test_wrong_input_types(text: str, why: str) -> None:
    with pytest.raises(SettingError, match=f"is not an input type\n  why: .*{why}"):
        parse_input_type(text)


def test_a_board_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text('family = "xc7"\nlut = 8000\nff = 16000\nbram36 = 50\ndsp = 80\nbandwidth = 0.5\nclock = 80\n', encoding="utf-8")
    board = find_board(str(path))
    assert (board.name, board.uram, board.clock) == ("tiny", 0, 80)
    assert board.budget == {"lut": 8000, "ff": 16000, "bram36": 50, "uram": 0, "dsp": 80}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('family = "xc9"', "family 'xc9' is not known"),
        ("lut = -1", "lut = -1"),
        ("port_bits = 64", "ports = 0, port_bits = 64"),
        ("lut = true", "lut = True"),
        ("lut = 1.5", "lut = 1.5"),
        ("", "missing: family"),
    ],
)
def test_wrong_board_files(tmp_path: Path, change: str, message: str) -> None:
    values = {"family": '"xc7"', "lut": "8000", "ff": "1", "bram36": "1", "dsp": "1", "bandwidth": "1", "clock": "1"}
    key, _, value = change.partition(" = ")
    values[key or "family"] = value
    path = tmp_path / "board.toml"
    path.write_text("".join(f"{k} = {v}\n" for k, v in values.items() if v), encoding="utf-8")
    with pytest.raises(SettingError, match=message):
        find_board(str(path))


def test_the_board_file_of_the_docs(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "boards.md").read_text(encoding="utf-8").partition("### A board of your own")[2].split("```")[1]
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    kept = Options(board=str(tmp_path / "mine.toml")).kept()
    assert kept["vivado"]["kind"] == "zynq-7000" and kept["vivado"]["port_bits"] == 64 and kept["part"] == "xc7z020clg400-1"
    for old, new, says in (
        ('kind = "zynq-7000"', 'kind = "zynq-8000"', "kind = 'zynq-8000'"),
        ('board_part = "', 'board_part = "a] [exit ', "give the name that Vivado has for it"),
        ("board_part =", "board_parts =", "unknown key 'board_parts'"),
    ):
        (tmp_path / "wrong.toml").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(SettingError, match=says):
            find_board(str(tmp_path / "wrong.toml"))


def test_what_the_logic_reaches_of_the_memory() -> None:
    """A beat a cycle at each port, and no more than the memory's peak."""
    zynq, arty = find_board("pynq-z2"), find_board("arty-a7-100t")
    assert (zynq.reachable(100), zynq.reachable(50), arty.reachable(50)) == (2.1, 1.6, 1.3)


def test_a_rate_is_cycles_a_frame() -> None:
    """Rounded down: a design in so many cycles is at least as fast as asked."""
    assert Options(fps=1000.0).wanted_interval == 100_000 and Options(fps=3.0, clock=10.0).wanted_interval == 3_333_333
    assert Options(fps=1e8).wanted_interval == 1 and Options(interval=640).wanted_interval == 640 and Options().wanted_interval is None
    assert Options(fps=1000.0, board="zcu104").wanted_interval == boards()["zcu104"].clock * 1000
