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
    ("gans.core.sizes", "halvings"): ("gans.layers.sizes", "count_halvings"),
    ("gans.core.resample", "filtered"): ("gans.layers.resample", "filter_maps"),
    ("gans.core.folding", "OverConvolution"): ("gans.layers.folding", "FoldableConvolution"),
    ("gans.core.folding", "folded"): ("gans.layers.folding", "fold_batch_norm"),
    ("gans.core.batch_statistics", "MinibatchStatistic"): (
        "gans.layers.batch_statistics",
        "MinibatchStatistic",
    ),
    ("gans.core.batch_statistics", "MinibatchDiscrimination"): (
        "gans.batch_statistics.discrimination",
        "MinibatchDiscrimination",
    ),
    ("gans.core.batch_statistics", "NoStatistic"): ("gans.batch_statistics.none", "NoStatistic"),
    ("gans.core.clock", "Pace"): ("gans.core.growth_pace", "GrowthPace"),
    ("gans.core.clock", "SCALED"): ("gans.core.growth_pace", "SCALED"),
    ("gans.core.clock", "GROWING_SHARE"): ("gans.core.growth_pace", "GROWING_SHARE"),
    ("gans.core.contest", "Contest"): ("gans.core.objective", "AdversarialObjective"),
    ("gans.core.game", "told"): ("gans.core.networks", "conditioned"),
    ("gans.core.opponents", "Opponents"): ("gans.core.two_player", "TwoPlayerGame"),
    ("experiments.data.core.image_source", "ImageFileSource"): (
        "experiments.data.core.arranged_images",
        "ImageFileSource",
    ),
    ("experiments.data.core.image_source", "ImageFileOptions"): (
        "experiments.data.core.picture_options",
        "ImageFileOptions",
    ),
    ("losses.gradient_penalty", "*"): ("losses.core.gradient_penalty", "*"),
    ("losses.input_gradient", "*"): ("losses.core.input_gradient", "*"),
    ("losses.schedules", "constant"): ("losses.core.schedule", "constant"),
    ("losses.schedules", "linear"): ("losses.core.schedule", "linear"),
    ("losses.schedules", "cosine"): ("losses.core.schedule", "cosine"),
}
# Names that have changed where they are: module → old name → name.
RENAMED = {
    "gans.core.duel": {"AroundDuel": "WrappedGame"},
    "gans.core.equalized_critic": {"activated": "activation_layers", "ending": "critic_head"},
    "gans.core.game": {"Deal": "BatchLoader"},
    "gans.core.growth": {
        "FadedDeal": "FadingLoader",
        "shrunk": "shrink",
        "enlarged": "enlarge",
        "shown": "to_full_size",
        "faded": "blend_with_smaller",
        "fade": "cross_fade",
    },
    "gans.core.player": {"Outcome": "Losses"},
    "gans.core.styles": {
        "Mapping": "MappingNetwork",
        "repeated": "repeat_styles",
        "mixed": "mix_styles",
        "truncated": "truncate_styles",
    },
    "gans.core.translation": {
        "beside": "concatenate_channels",
        "convolved": "convolution_layers",
        "blocks_for": "residual_block_count",
        "refuse_odd": "check_size_multiple",
    },
}
MOVED |= {(module, old): (module, new) for module, names in RENAMED.items() for old, new in names.items()}
MOVED |= {
    ("gans.core.game", name): ("gans.core.networks", name)
    for name in ("Batch", "Condition", "GeneratorNetwork", "LatentNetwork", "StyledNetwork")
}
_DATA = {
    "Held": "InMemoryData",
    "hold": "load_into_memory",
    "Access": "DataAccess",
    "NothingHeldOut": "NoHeldOutDataError",
}
_DATA |= {
    name: name
    for name in ("Kind", "Fit", "KnownChanges", "attributes_of", "Domains", "USUAL", "DomainSource")
}
MOVED |= {("experiments.data", old): ("experiments.data.core.dataset", new) for old, new in _DATA.items()}
MOVED |= {
    ("experiments.data", name): ("gans.core.attributes", name) for name in ("AttributeGroup", "Attributes")
}
MOVED["metrics.extractors", "WeightsError"] = ("metrics.extractors.core.extractor", "WeightsError")


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
