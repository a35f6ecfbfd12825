"""Pictures of a report by themselves, for notebooks: every one of either mode is an SVG that carries its style."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import dfcompile as dfc
from dfcompile.errors import CompileError
from tests.conftest import ROOT

NAMES = {
    "dataflow": {"pipeline", "schedule", "fifos", "roofline", "resources"},
    "loopback": {"timeline", "memory", "roofline", "resources"},
}


@pytest.mark.parametrize("mode", NAMES)
def test_every_picture_stands_by_itself(mode: str, tmp_path: Path) -> None:
    design = dfc.build(ROOT / "examples" / "digits_mlp_w1a1.onnx", mode=mode, board="pynq-z2", verify=False)
    assert set(design.drawings()) == NAMES[mode]
    page = design.page()
    for name in NAMES[mode]:
        picture = design.picture(name)
        picture.save(str(tmp_path / "p.svg"))
        root = ElementTree.parse(tmp_path / "p.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and picture._repr_svg_() == picture.svg
        style = root[0].text or ""
        assert style.count("{") == style.count("}") and "--card" in style and "svg text" in style and "body" not in style
        assert picture.svg.split("</style>", 1)[1] in page
    with pytest.raises(CompileError, match="did you mean 'roofline'"):
        design.picture("roofine")
