"""A picture of a report by itself: an SVG that carries its own style sheet, as notebooks show it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from dfcompile.report.page import environment

_RULE = re.compile(r"^(?:svg.*|:root \{\n(?:  .*\n)*\}|@media \(prefers-color-scheme: dark\) \{\n(?:  .*\n)*\})$", re.MULTILINE)


@dataclass(frozen=True)
class Picture:
    """An SVG; `save` writes it, notebooks show it."""

    svg: str

    @classmethod
    def of(cls, drawing: Markup) -> Picture:
        """A drawing of a page, with what the page's style sheet says of drawings."""
        sheet = (environment().loader.get_source(environment(), "report.css"))[0]  # type: ignore[union-attr]
        rules = "\n".join(_RULE.findall(sheet)) + "\nsvg { background: var(--card); font-family: system-ui, sans-serif; }"
        return cls(str(drawing).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f"><style>{rules}</style>", 1))

    def save(self, path: str) -> None:
        """Write the picture as a file of its own."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg)

    def _repr_svg_(self) -> str:
        return self.svg
