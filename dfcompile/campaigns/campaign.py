"""A campaign from its file to its summary."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dfcompile.campaigns.file import read_campaign
from dfcompile.campaigns.page import render_campaign
from dfcompile.campaigns.run import Run, opened
from dfcompile.campaigns.summary import summary
from dfcompile.store.files import writing
from dfcompile.store.output import add_files
from dfcompile.tasks.pool import Pool, cluster, processes

FILES = ("campaign.json", "campaign.html")


def run_campaign(
    file: Path, jobs: int | None = None, scheduler: str | None = None, watch: Callable[[Run], None] = lambda run: None
) -> tuple[dict[str, Any], int]:
    """Do what a campaign's results lack; its summary, which lies in ``campaign.json`` of their folder, and how many tasks were done.

    jobs:      processes of this machine, default one for each core; scheduler: a Dask scheduler whose workers do it instead
    watch:     called when a task begins or ends
    SettingError with every problem of the file; what fails on the way is in the summary. A run that is killed goes on where it was.
    """
    campaign = read_campaign(file)
    with opened(campaign, watch) as run:
        with _pool(jobs or os.cpu_count() or 1, scheduler) as pool:
            run.work(pool)
        found = summary(run)
        with add_files(campaign.out, FILES) as folder, writing(campaign.out):
            (folder / FILES[0]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            (folder / FILES[1]).write_text(render_campaign(file.stem, found), encoding="utf-8", errors="replace")
    return found, run.made


@contextlib.contextmanager
def _pool(jobs: int, scheduler: str | None) -> Iterator[Pool]:
    """Even a single job has a process of its own, whose death does not end the campaign."""
    if scheduler is not None:
        with cluster(scheduler) as pool:
            yield pool
    else:
        with contextlib.closing(processes(jobs)) as pool:
            yield pool
