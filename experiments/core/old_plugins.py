"""Support of plug-ins written for earlier versions: their imports, where names have moved since."""

import ast
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from gans.layers.norms import CriticNorm

log = logging.getLogger("gans")

_LAYERS = ("equalized", "labels", "modulation", "resample", "sizes", "folding")
# (old module, old name) → (module, name); a name of "*" stands for every name of a module that has moved
# whole.
MOVED = {(f"gans.core.{name}", "*"): (f"gans.layers.{name}", "*") for name in _LAYERS} | {
    ("gans.core.batch_statistics", "PixelNorm"): ("gans.layers.norms", "PixelNorm"),
    ("gans.core.batch_statistics", "MinibatchDeviation"): (
        "gans.batch_statistics.deviation",
        "MinibatchDeviation",
    ),
    ("gans.core.norms", "norm"): ("experiments.core.old_plugins", "norm"),
    ("gans.core.norms", "flat_norm"): ("experiments.core.old_plugins", "flat_norm"),
    ("gans.core.norms", "dropout"): ("gans.layers.norms", "dropout"),
    ("gans.core.labels", "judging"): ("gans.layers.labels", "critic_from_layers"),
    ("gans.core.sizes", "smallest"): ("gans.layers.sizes", "smallest_size"),
    ("losses.gradient_penalty", "*"): ("losses.core.gradient_penalty", "*"),
    ("losses.input_gradient", "*"): ("losses.core.input_gradient", "*"),
    ("losses.schedules", "constant"): ("losses.core.schedule", "constant"),
    ("losses.schedules", "linear"): ("losses.core.schedule", "linear"),
    ("losses.schedules", "cosine"): ("losses.core.schedule", "cosine"),
}
MOVED |= {
    ("gans.core.game", name): ("gans.core.networks", name)
    for name in ("Batch", "Condition", "GeneratorNetwork", "LatentNetwork", "StyledNetwork")
}


def norm(critic_norm: "CriticNorm", channels: int) -> list["nn.Module"]:
    """Critic norm of feature maps, by the name that plug-ins of earlier versions import."""
    return critic_norm.of_maps(channels)


def flat_norm(critic_norm: "CriticNorm", units: int) -> list["nn.Module"]:
    """Critic norm of vectors, by the name that plug-ins of earlier versions import."""
    return critic_norm.of_vectors(units)


def update_imports(source: bytes, path: str) -> ast.Module:
    """Parses a plug-in, and updates its imports of names that have moved.

    One line in the log says which.

    Raises SyntaxError and ValueError as `ast.parse` does.
    """
    updater = _Updater()
    tree = ast.fix_missing_locations(updater.visit(ast.parse(source, path)))
    if updater.moved:
        log.warning(
            f"plug-in {path}: {'; '.join(updater.moved)}; change its imports, later versions need that"
        )
    assert isinstance(tree, ast.Module)
    return tree


class _Updater(ast.NodeTransformer):
    """Replaces imports of names that have moved."""

    def __init__(self) -> None:
        self.moved: list[str] = []

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        kept, found = [], []
        for alias in node.names:
            old = (node.module or "", alias.name)
            module, name = MOVED.get(old) or MOVED.get((old[0], "*")) or ("", "")
            if not module:
                kept.append(alias)
                continue
            name = alias.name if name == "*" else name
            self.moved.append(f"{old[0]}.{old[1]} is now {module}.{name}")
            found.append(ast.ImportFrom(module, [ast.alias(name, alias.asname or alias.name)], 0))
        own: list[ast.stmt] = [ast.ImportFrom(node.module, kept, node.level)] if kept else []
        return [*own, *found]
