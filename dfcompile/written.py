"""A build as commands write it: the folder of the build, with copies of the files that its options name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dfcompile.errors import Problem, SettingError
from dfcompile.options import Options
from dfcompile.store.files import writing
from dfcompile.store.output import BUILD_FILES, new_folder, refuse_inputs

if TYPE_CHECKING:
    from dfcompile.mode.accelerator import Accelerator

SETTINGS = "build.toml"
RESERVED = (*BUILD_FILES, SETTINGS)


def built(
    model: Path,
    out: Path,
    settings: Options,
    named: Sequence[Path] = (),
    dump_ir: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Accelerator:
    """The build, written to its folder. named: files and folders of options, which must lie elsewhere."""
    copied = _copied(settings)
    if dump_ir:
        refuse_inputs(dump_ir, [out])
    inputs = [model, *named, *copied.values()]
    with new_folder(out, (*RESERVED, *(f.name for f in copied.values())), inputs) as folder:
        from dfcompile.pipeline import compile_model

        made = compile_model(model, settings, dump_ir, progress)
        progress("write")
        with writing(out):
            _write(made, settings, copied, folder, progress)
    return made


def _copied(settings: Options) -> dict[str, Path]:
    """Board and folding files, by option: a build folder holds copies of them, so that it alone repeats the build."""
    named = {"board": settings.board or "", "folding": str(settings.folding or "")}
    files = {k: Path(v) for k, v in named.items() if v.endswith((".toml", ".json"))}
    for key, file in files.items():
        if file.name in RESERVED:
            what = f"the {key} file may not be called '{file.name}'"
            why = "it is copied into the build folder, which has a file of this name"
            raise SettingError(Problem("bad-option", what, why=why, help="rename it"))
    return files


def _write(made: Accelerator, settings: Options, copied: dict[str, Path], folder: Path, report: Callable[[str], None]) -> None:
    """Write the build into an empty folder, and in it ``build.toml``: every value in effect, the chosen ones too."""
    made.write(folder, report)
    for file in copied.values():
        (folder / file.name).write_bytes(file.read_bytes())
    chosen = settings.merged({"mode": made.report["mode"], "clock": made.report["clock_mhz"]})
    (folder / SETTINGS).write_text(chosen.toml(**{k: f.name for k, f in copied.items()}), encoding="utf-8")
