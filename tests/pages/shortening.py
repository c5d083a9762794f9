"""Makes commands of the documentation short: less training, smaller networks, fewer samples.

`REPLACED` has, for every command, the values that its flags get in place of those on the page, and `ADDED`
the flags that are given where a line has none. All else is typed as it stands.
"""

from itertools import pairwise

import click

import cli

NETWORKS = {"--batch-size": "4", "--width": "2"}
TRAINING = {
    **NETWORKS,
    "--kimg": "0.016",
    "--steps": "2",
    "--image-size": "16",
    "--micro-batch-size": "4",
    "--checkpoint-kimg": "0.008",
    "--sample-kimg": "0.008",
    "--evaluate-kimg": "0.008",
    "--evaluate-samples": "16",
}
FEW = {"-n": "16"}
REPLACED: dict[str, dict[str, str]] = {
    "run": TRAINING,
    "sweep": TRAINING | {"--seeds": "2", "--trials": "3", "--random": "2", "--jobs": "1"},
    "find-lr": NETWORKS | {"--steps": "50", "--image-size": "16"},
    "plan": NETWORKS | {"--image-size": "16", "--batch-size": "32"},
    "sample": {"-n": "4"},
    "evaluate": FEW,
    "audit": {"-n": "100"},
    "fid": FEW,
    "stats": FEW,
    "train-classifier": {"--epochs": "1"},
    "interpolate": {"--frames": "3"},
    "project": {"--steps": "2"},
    "prepare": {"--image-size": "16"},
}
ADDED: dict[str, dict[str, str]] = {
    "run": NETWORKS | {"--steps": "2", "--track": "local"},
    "sweep": NETWORKS
    | {"--steps": "2", "--track": "local", "--jobs": "1"}
    | {
        "--evaluate-samples": "16",
    },
    "find-lr": NETWORKS | {"--steps": "50"},
    "plan": NETWORKS | {"--batch-size": "32"},  # of several GPUs
    "evaluate": FEW,
    "fid": FEW,
    "stats": FEW,
    "train-classifier": {"--epochs": "1"},
    "interpolate": {"--frames": "3"},
    "project": {"--steps": "2"},
}
# With one of these a run has the settings of another, and only its length is made small: more than that has.
OF_ANOTHER = ("--resume", "--config")
TO_GO_ON = {"--kimg": "0.032", "--steps": "8"}
# What is not added beside a flag.
NOT_BESIDE = {"--steps": ("--kimg",), "--width": ("--init-from",), "--evaluate-samples": ("--no-evaluate",)}
# What is added beside a flag, and beside a metric among the values of a flag.
BESIDE = {"--evaluate-kimg": {"--evaluate-samples": "16"}}
WITH_METRIC = {"kid": ["--set", "kid.subset_size=8"]}
METRICS = ("--metrics", "--evaluate-metrics")
ENDLESS = (
    "explore",
)  # commands that end when they are told to; they are typed, and their own tests run them
SHORT = ("--dry-run", "--help", "--list", "--wandb-config")  # a line with one of these is short as it is


def shorten(words: tuple[str, ...]) -> list[str]:
    """The words of a command, from its name on, made small by the tables."""
    name, *rest = words
    if any(each in SHORT for each in rest):
        return list(words)
    replaced, added = REPLACED.get(name, {}), ADDED.get(name, {})
    if name == "run" and any(each in OF_ANOTHER for each in rest):
        replaced, added = TO_GO_ON, {}
    given = {each.partition("=")[0] for each in rest}
    for flag in given & BESIDE.keys():
        added = added | BESIDE[flag]
    shortened = [name]
    for before, word in pairwise(words):
        flag, sign, _ = word.partition("=")
        if sign and flag in replaced:
            shortened.append(f"{flag}={replaced[flag]}")
        else:
            shortened.append(replaced[before] if before in replaced and _takes_value(name, before) else word)
    metrics = {name for flag, word in pairwise(rest) if flag in METRICS for name in word.split(",")}
    for metric in metrics & WITH_METRIC.keys():
        shortened += WITH_METRIC[metric]
    for flag, value in added.items():
        if given.isdisjoint((flag, *NOT_BESIDE.get(flag, ()))):
            shortened += [flag, value]
    return shortened


def _takes_value(name: str, flag: str) -> bool:
    """Whether a flag of a command is followed by a value."""
    options = (each for each in cli.gans.commands[name].params if isinstance(each, click.Option))
    return any(flag in each.opts and not each.is_flag for each in options)
