"""Pages and pictures as a browser lays them out: nothing cut off, nothing on top of anything else, all of it readable by day and by night.

Every page is shown three widths wide, light and dark, in frames of one document; `look.js` says of each what is wrong with it.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import pytest

import dfcompile as dfc

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
WIDTHS, THEMES = (500, 1000, 1600), ("light", "dark")
pytestmark = pytest.mark.skipif(not BROWSER, reason="there is no Chromium to lay pages out")

Look = Callable[[Mapping[str, str]], dict[str, list[str]]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """What is wrong with pages, each by its name, in every frame."""

    def found(pages: Mapping[str, str]) -> dict[str, list[str]]:
        script = f"<script>{Path(__file__).with_name('look.js').read_text(encoding='utf-8')}</script>"
        frames = [
            f'<iframe name="{name}, {width} pixels, {theme}" style="width:{width}px;height:900px;border:0;color-scheme:{theme}" '
            f'srcdoc="{html.escape(page + script)}"></iframe>'
            for (name, page), width, theme in product(pages.items(), WIDTHS, THEMES)
        ]
        ask = "const said={};for(const f of document.querySelectorAll('iframe'))said[f.name]=f.contentWindow.look();"
        ask += "document.body.replaceChildren(Object.assign(document.createElement('pre'),{textContent:JSON.stringify(said)}))"
        page = f"<!doctype html><meta charset=utf-8><body>{''.join(frames)}<script>addEventListener('load',()=>{{{ask}}})</script>"
        (tmp_path / "frames.html").write_text(page, encoding="utf-8")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]
        ran = subprocess.run([str(BROWSER), *flags, (tmp_path / "frames.html").as_uri()], capture_output=True, text=True, timeout=300)
        said = re.search("<pre>(.*)</pre>", ran.stdout, re.DOTALL)
        assert said, ran.stderr[-2000:]
        result: dict[str, list[str]] = json.loads(html.unescape(said[1]))
        assert len(result) == len(pages) * len(WIDTHS) * len(THEMES)
        return result

    return found


def shown(drawing: str) -> str:
    """A picture as a browser shows its file: nothing around it."""
    return f"<!doctype html><meta name=color-scheme content='light dark'><body style='margin:0'><main>{drawing}</main>"


def test_pages_and_pictures(look: Look, examples: Path, tmp_path: Path) -> None:
    asked = {"board": "pynq-z2", "verify": False}
    cnn = dfc.build(examples / "digits_cnn_w2a2.onnx", **asked)
    engine = dfc.build(examples / "digits_cnn_w4a4.onnx", mode="loopback", **asked)
    pages = {"dataflow": cnn.page(), "loopback": engine.page()}
    for mode in ("auto", "loopback"):
        dfc.explore(examples / "digits_mlp_w1a1.onnx", board="pynq-z2", mode=mode, out=tmp_path / mode)
        pages[f"explore {mode}"] = shown((tmp_path / mode / "explore.svg").read_text(encoding="utf-8"))
    assert {name: wrong for name, wrong in look(pages).items() if wrong} == {}


def test_what_is_wrong_is_seen(look: Look) -> None:
    style = (
        "main{width:100vw}p{margin:0;white-space:nowrap;color:#999}body{margin:0;background:#fff}rect{fill:#fff}text{font:12px sans-serif}"
    )
    box = '<g><rect class="box" width="20" height="20"/><text y="12">in a box</text></g>'
    texts = '<text x="80" y="12">outside</text><text x="5" y="60">below</text><text x="8" y="62">above</text>'
    dark = '<rect x="50" y="70" width="50" height="30" style="fill:#111"/><text x="60" y="90">dark</text>'
    drawn = f"<svg viewBox='0 0 100 100' width=100>{box}{texts}{dark}</svg>"
    page = f"<!doctype html><style>{style}</style><main><p>{'wide ' * 400}</p>{drawn}</main>"
    for name, wrong in look({"": page}).items():
        kinds = [
            "the page is ",
            'wider than its box: text "in',
            'outside its picture: text "out',
            'one on another: text "below", text "above"',
        ]
        kinds += ['faint (2.85): P "wide', 'text "dark"', "cut off: P"]
        assert [k for k in kinds if not any(k in w for w in wrong)] == [], (name, wrong)
