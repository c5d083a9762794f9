"""A sweep with what its runs need: folder, search space, evaluation and engine."""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.analysis.comparison.read import read_record
from experiments.analysis.comparison.record import Record
from experiments.runs.folder import RunFolder
from experiments.sweeps.engines import Engine
from experiments.sweeps.queue import Show
from experiments.sweeps.search_space import Sweep, SweepRun
from experiments.sweeps.worker import Evaluation, SweepTask


@dataclass(frozen=True)
class SweepContext:
    """Sweep with what it needs to run: folder, search space, evaluation and engine.

    Attributes:
        out: its folder, of which each run has a subfolder.
        sweep: the settings that vary.
        evaluation: of every run.
        engine: what starts the runs; None until they are to run.
        show: called with the state of each run whenever one changes, and now and then.
        processes: number of processes that train each run together.
    """

    out: Path
    sweep: Sweep
    evaluation: Evaluation
    engine: Engine | None = None
    show: Show = lambda states: None
    processes: int = 1

    def task(self, sweep_run: SweepRun, until_kimg: float | None = None) -> SweepTask:
        """Task of a sweep run, to its end or to `until_kimg`."""
        flags = {"group": self.out.name, **self.sweep.base, **sweep_run.settings, "seed": sweep_run.seed}
        folder = str(self.out / sweep_run.name)
        return SweepTask(
            folder,
            flags,
            dict(self.sweep.strengths),
            dict(self.sweep.file),
            self.evaluation,
            until_kimg,
            self.processes,
        )

    def folder(self, sweep_run: SweepRun) -> RunFolder:
        """Run folder of a sweep run."""
        return RunFolder(self.out / sweep_run.name)

    def record(self, sweep_run: SweepRun) -> Record:
        """Record of a sweep run; its settings are known even where it failed before it wrote them."""
        record = read_record(self.folder(sweep_run))
        return (
            record
            if record.settings
            else replace(record, settings=self.task(sweep_run).spec().settings.to_dict())
        )
