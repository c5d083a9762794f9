"""Words and JSON of a plan."""

from math import floor, inf
from typing import Any

from experiments.config.resolve import RunSpec
from experiments.core.value_format import format_value
from experiments.training.best_generator import check_evaluation
from experiments.training.plan.data_report import describe_classes, describe_data
from experiments.training.plan.plan import FEWEST_SEEDS, PlanRequest, RunPlan, make_plan

MIB = 2**20


def describe_dry_run(spec: RunSpec) -> str:
    """Describes a run before it starts: every setting with its source, then its sizes, without timing.

    The result is lines that nothing wraps. Raises UsageError for what the run would refuse.
    """
    rows = [("setting", "value", "from")]
    rows += [
        (name, format_value(value, name), spec.sources[name])
        for name, value in spec.settings.to_dict().items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]
    plan = make_plan(spec, PlanRequest(sizes_only=True))
    if spec.settings.evaluate_kimg and plan.data is not None:  # else they may be fetched later
        check_evaluation(spec.settings)
    return "\n".join([*lines, "", *_describe_sizes(plan), *describe_data(plan), *describe_classes(plan)])


def describe(plan: RunPlan) -> list[str]:
    """Describes a plan in lines."""
    lines = [*_describe_sizes(plan), *describe_data(plan), *_describe_work(plan), *_describe_limits(plan)]
    if plan.penalty_weights is not None:
        shown = ", ".join(f"{weight:.3g}" for weight in plan.penalty_weights.weights)
        lines.append(f"{'γ to try':<12}{shown}: {plan.penalty_weights.reason}")
    return lines + _describe_seeds(plan)


def _describe_sizes(plan: RunPlan) -> list[str]:
    """Parameters, length and memory."""
    sizes = plan.sizes
    lines = [
        f"generator   {sizes.generator_parameters:>12,} parameters",
        f"critic      {sizes.critic_parameters:>12,} parameters",
        f"length      {sizes.steps:>12,} steps = {sizes.kimg:,.1f} kimg",
    ]
    if plan.memory is None:
        return [*lines, f"memory           unknown: {plan.unknown}"]
    parts = ", ".join(f"{name} {size / MIB:,.0f}" for name, size in plan.memory.parts.items())
    return [
        *lines,
        f"memory      {plan.memory.total / MIB:>12,.0f} MiB on {plan.memory.on}, about: {parts}",
    ]


def _describe_work(plan: RunPlan) -> list[str]:
    """Operations, disk, network and time."""
    lines: list[str] = []
    if plan.operations is not None:
        lines.append(
            f"operations  {plan.operations.per_real / 1e9:>12,.3g} GFLOPs of training for a real image; "
            f"{plan.operations.per_sample / 1e9:,.3g} for a sample"
        )
    if plan.disk is not None:
        parts = ", ".join(f"{name} {size / MIB:,.1f}" for name, size in plan.disk.parts.items())
        lines.append(f"disk        {plan.disk.total / MIB:>12,.1f} MiB at the end: {parts}")
    if plan.exchanged is not None:
        count = plan.request.processes
        lines.append(
            f"network     {plan.exchanged / 1e6:>12,.2f} MB sent in a step by each of {count} processes, "
            f"with {plan.settings.batch_size // count} images each"
        )
    if plan.time is not None:
        lines.append(f"time        {_duration(plan.time.total):>12} {_describe_time(plan)}")
    return lines


def _describe_time(plan: RunPlan) -> str:
    """Describes the parts of the time, and those that it leaves out."""
    assert plan.time is not None
    found = plan.time
    words = f"of training: {found.training / max(1, plan.sizes.steps) * 1000:,.1f} ms a step"
    if len(found.stages) > 1:
        words += f" over {len(found.stages)} stages of growing"
    words += f"; {found.start:,.1f} s to start, {found.files:,.1f} s for pictures and checkpoints"
    if plan.request.processes > 1:
        words += "; without the messages between processes"
    return words + (f"; and {found.evaluations} evaluations, not timed" if found.evaluations else "")


def _describe_limits(plan: RunPlan) -> list[str]:
    """Sizes and lengths that fit into memory and hours."""
    lines: list[str] = []
    request = plan.request
    if request.memory is not None and plan.largest is not None and plan.memory is not None:
        fits = "fits into" if plan.memory.total <= request.memory else "does not fit into"
        largest = plan.largest
        size = largest.image_size and "x".join(map(str, largest.image_size))
        values = {"batch-size": largest.batch_size, "micro-batch-size": largest.micro_batch_size}
        words = [f"--{name} {value}" if value else f"no --{name}" for name, value in values.items()]
        words += [f"--image-size {size}"] if size else ["no --image-size"] * bool(plan.settings.image_size)
        lines.append(
            f"limit       {fits} {request.memory / MIB:,.0f} MiB; largest that does, others as they are: "
            + ", ".join(words)
        )
    if request.hours is not None and plan.time is not None and plan.kimg_in_hours is not None:
        ends = "ends" if plan.time.total <= request.hours * 3600 else "does not end"
        lines.append(
            f"limit       {ends} within {request.hours:g} h, which are --kimg {_floor(plan.kimg_in_hours)}"
        )
    return lines


def _describe_seeds(plan: RunPlan) -> list[str]:
    """Seeds that a difference needs, with what that assumes."""
    request = plan.request
    if request.difference is None:
        return []
    count = "more than 10,000" if plan.seeds in (None, inf) else f"{plan.seeds:.0f}"
    return [
        f"seeds       {count:>12} of each of two settings, to find a difference of {request.difference:.3g} "
        f"of the score in 80 % of cases (two-sided t test at 0.05); assumes normal scores whose standard "
        f"deviation between seeds is {request.spread:.3g} of the score; not fewer than {FEWEST_SEEDS}"
    ]


def _floor(kimg: float) -> str:
    """A length that can be given to a command, and is not longer than this one."""
    return f"{floor(kimg) if kimg >= 10 else floor(kimg * 1000) / 1000:.10g}"


def _duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def to_json(plan: RunPlan) -> dict[str, Any]:
    """The numbers of a plan; what was not asked for, or is unknown, is null."""
    memory, time, largest = plan.memory, plan.time, plan.largest
    return {
        "generator_parameters": plan.sizes.generator_parameters,
        "critic_parameters": plan.sizes.critic_parameters,
        "steps": plan.sizes.steps,
        "kimg": plan.sizes.kimg,
        "unknown": plan.unknown or None,
        "flops_per_sample": plan.operations and plan.operations.per_sample,
        "flops_per_real": plan.operations and plan.operations.per_real,
        "memory_bytes": memory and {"total": memory.total, **memory.parts},
        "disk_bytes": plan.disk and {"total": plan.disk.total, **plan.disk.parts},
        "network_bytes_per_step": plan.exchanged,
        "seconds": time
        and {"total": time.total, "training": time.training, "start": time.start, "files": time.files},
        "evaluations_not_timed": time and time.evaluations,
        "largest": largest
        and {
            "batch_size": largest.batch_size,
            "micro_batch_size": largest.micro_batch_size,
            "image_size": largest.image_size,
        },
        "fits_memory": memory and plan.request.memory and memory.total <= plan.request.memory,
        "fits_hours": time and plan.request.hours and time.total <= plan.request.hours * 3600,
        "kimg_in_hours": plan.kimg_in_hours,
        "penalty_weights": plan.penalty_weights and plan.penalty_weights.weights,
        "seeds": None if plan.seeds is None or plan.seeds == inf else int(plan.seeds),
        "finds_difference": None if plan.seeds is None else plan.seeds < inf,
    }
