"""The registry of plug-ins: a file in the folder of its kind is a plug-in, and its name that of the file.

Names and one-line summaries are read from the folders without importing anything; a module is imported
when it is asked for, and must hold exactly one public plug-in of its kind. More plug-ins come from
`--plugin FILE.py` and from installed packages with entry points in the group `gans`, named `KIND.NAME`.
"""

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.core.errors import UsageError
from experiments.core.old_plugins import update_imports
from experiments.core.synonyms import BESIDE, similar_components
from losses.recipes import RECIPES

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

METRIC_ALIASES = {"is": "inception-score", "pr": "precision-recall"}  # as papers abbreviate them
MOST_PLUGIN_BYTES = 2**20
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Kind:
    """A kind of plug-ins: the package of its files, and the type that they define.

    Attributes:
        package: the folder whose files are the plug-ins, as a dotted name; empty for kinds without one.
        base: "module:name" of the type that a plug-in derives from, or is an instance of.
        plural: the word after `gans list`; empty for kinds that are listed with others.
    """

    package: str
    base: str
    plural: str = ""

    def is_plugin(self, value: object, module: ModuleType) -> bool:
        """Whether a value is a plug-in of this kind that the module itself defines."""
        if inspect.isclass(value):
            return self.is_class(value, module) and not inspect.isabstract(value)
        return isinstance(value, self._base)

    def is_class(self, value: object, module: ModuleType) -> bool:
        """Whether a value is a class of this kind, abstract or not, that the module itself defines."""
        return (
            inspect.isclass(value) and value.__module__ == module.__name__ and issubclass(value, self._base)
        )

    @property
    def _base(self) -> Any:
        module_name, _, name = self.base.partition(":")
        return getattr(importlib.import_module(module_name), name)


KINDS = {
    "architecture": Kind("gans", "gans.core.architecture:Architecture", "architectures"),
    "form": Kind("losses.adversarial", "losses.core.adversarial:Adversarial"),
    "recipe": Kind("", "losses.recipe:Recipe"),
    "data": Kind("experiments.data", "experiments.data.core.dataset:Source", "data"),
    "penalty": Kind("losses.penalties", "losses.core.points:Points", "penalties"),
    "penalty-norm": Kind("losses.penalty_norms", "losses.core.penalty_norm:PenaltyNorm", "penalty-norms"),
    "regularizer": Kind("losses.regularizers", "losses.core.regularizer:Regularizer", "regularizers"),
    "norm": Kind("gans.norms", "gans.layers.norms:CriticNorm", "norms"),
    "batch-statistic": Kind(
        "gans.batch_statistics", "gans.layers.batch_statistics:MinibatchStatistic", "batch-statistics"
    ),
    "optimizer": Kind("gans.optimizers", "gans.core.optimizer:OptimizerRecipe", "optimizers"),
    "schedule": Kind("losses.schedules", "losses.core.schedule:Schedule", "schedules"),
    "augmentation": Kind(
        "experiments.augmentations",
        "experiments.augmentations.core.augmentation:Augmentation",
        "augmentations",
    ),
    "critic-augmentation": Kind(
        "losses.critic_augmentations",
        "losses.core.critic_augmentation:CriticAugmentation",
        "critic-augmentations",
    ),
    "tracker": Kind("experiments.trackers", "experiments.trackers.core.tracker:Tracker", "trackers"),
    "published-format": Kind(
        "gans.published.formats", "gans.core.published_format:PublishedFormat", "formats"
    ),
    "metric": Kind("metrics", "metrics.core.metric:Metric", "metrics"),
    "extractor": Kind("metrics.extractors", "metrics.extractors.core.extractor:Extractor", "extractors"),
}


class _FilePlugin(NamedTuple):
    """A plug-in that `--plugin` brought, with its summary, its file, and the hash of what was executed."""

    plugin: Any
    summary: str
    file: Path
    content_hash: str


_from_files: dict[tuple[str, str], _FilePlugin] = {}  # (kind, name) → what --plugin brought


def built_in_names(kind: str) -> set[str]:
    """Names of the plug-ins of a kind that come with the laboratory; "loss" stands for recipes and forms."""
    if kind == "loss":
        return built_in_names("recipe") | built_in_names("form")
    found = {path.stem.replace("_", "-") for path in _files(kind)}
    return found | set(RECIPES) if kind == "recipe" else found


def names(kind: str) -> list[str]:
    """Names of all plug-ins of a kind, sorted."""
    found = {name for known, name in _from_files if known == kind}
    found |= {entry.name.partition(".")[2] for entry in _entries(kind)}
    return sorted(found | built_in_names(kind))


def loss_names() -> list[str]:
    """Names of all losses, the words after `--loss`: every recipe, and every form by its own name."""
    return sorted({*names("recipe"), *names("form")})


def plugin_names(kind: str) -> list[str]:
    """Names of all plug-ins of a kind, where "loss" stands for recipes and forms together."""
    return loss_names() if kind == "loss" else names(kind)


def summary_of(kind: str, name: str) -> str:
    """The summary of a plug-in, where "loss" stands for recipes and forms together."""
    if kind == "loss":
        kind = "recipe" if name in names("recipe") else "form"
    return summary(kind, name)


def summary(kind: str, name: str) -> str:
    """The first line of a plug-in's documentation, read without importing it."""
    if kind == "recipe" and name in RECIPES:
        return RECIPES[name].summary
    if (kind, name) in _from_files:
        return _from_files[kind, name].summary
    for path in _files(kind):
        if path.stem.replace("_", "-") == name:
            return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    return next((f"from {e.value}" for e in _entries(kind) if e.name == f"{kind}.{name}"), "")


def load(kind: str, name: str) -> Any:
    """Loads the plug-in of that kind and name. Raises UsageError, with close matches, for an unknown name."""
    if (kind, name) in _from_files:
        return _from_files[kind, name].plugin
    if kind == "recipe" and name in RECIPES:
        return RECIPES[name]
    stem = name.replace("-", "_")
    if any(path.stem == stem for path in _files(kind)):
        return _only_plugin(kind, importlib.import_module(f"{KINDS[kind].package}.{stem}"))
    for entry in _entries(kind):
        if entry.name == f"{kind}.{name}":
            return entry.load()
    raise unknown_name_error(kind, name, names(kind))


def load_recipe(loss: str) -> Any:
    """Loads the recipe of a loss: a named combination, or that of a form itself."""
    if loss in names("recipe"):
        return load("recipe", loss)
    if loss in names("form"):
        recipe = getattr(load("form", loss), "recipe", None)
        if recipe is None:
            raise UsageError(
                f"form {loss} has no recipe: give its class an attribute of type losses.recipe.Recipe"
            )
        # A form may borrow the settings of another's recipe, but it is the one that was asked for.
        return replace(recipe, form=loss)
    raise unknown_name_error("loss", loss, loss_names())


def check_name(kind: str, name: str) -> None:
    """Checks that a name exists, without imports; raises UsageError, with close matches, otherwise."""
    if name not in names(kind):
        raise unknown_name_error(kind, name, names(kind))


def metric_names(words: Iterable[str]) -> list[str]:
    """Names of metrics, each once, from words that may be papers' abbreviations."""
    return list(dict.fromkeys(METRIC_ALIASES.get(word, word) for word in words))


def unknown_name_error(
    kind: str, name: str, known: list[str], listed: Sequence[str] | None = None
) -> UsageError:
    """Makes the error for an unknown name, with close matches; where none is close, with those listed.

    Args:
        listed: names to list, where all that are known would be too many.
    """
    close, word = similar_components(kind, name, known), name.lower().replace("_", "-")
    beside = f" with {BESIDE[kind, word]}" if (kind, word) in BESIDE else ""
    hint = (
        f"did you mean {' or '.join(close)}{beside}?" if close else f"there are: {', '.join(listed or known)}"
    )
    return UsageError(f"unknown {kind} '{name}'; {hint}")


def missing_plugins(paths: Iterable[str] | None) -> list[str]:
    """Plug-in files that are not imported yet."""
    loaded = {entry.file for entry in _from_files.values()}
    return [path for path in paths or () if Path(path).resolve() not in loaded]


def plugin_file(file_name: str) -> tuple[Path, str] | None:
    """The imported plug-in file of this name, in whatever folder, with the hash of its content, if any."""
    entries = (entry for entry in _from_files.values() if entry.file.name == file_name)
    return next(((entry.file, entry.content_hash) for entry in entries), None)


def plugin_files(names: Collection[str]) -> tuple[str, ...]:
    """The imported plug-in files that hold plug-ins of these names."""
    return tuple(str(entry.file) for (_, name), entry in _from_files.items() if name in names)


def plugin_name(path: str) -> str:
    """The name of the plug-in in a file."""
    return Path(path).stem.replace("_", "-")


def content_hash(content: bytes) -> str:
    """SHA-256 of a plug-in file, in hexadecimal digits."""
    return sha256(content).hexdigest()


def read_plugin(path: str) -> bytes:
    """Reads a plug-in file from outside the checkout.

    Raises UsageError for one that cannot be read, is no regular file or has more than 1 MiB: it may be that
    of a stranger.
    """
    try:
        if not Path(path).is_file():
            missing = "no regular file" if Path(path).exists() else "no such file"
            raise UsageError(f"plug-in {path}: there is {missing}")
        with Path(path).open("rb") as file:
            content = file.read(MOST_PLUGIN_BYTES + 1)
    except OSError as error:
        raise UsageError(f"plug-in {path}: {error.strerror or error}") from error
    if len(content) > MOST_PLUGIN_BYTES:
        raise UsageError(f"plug-in {path}: has more than {MOST_PLUGIN_BYTES:,} bytes, too many for a plug-in")
    return content


def add_plugin(path: str, content: bytes | None = None) -> tuple[str, str]:
    """Executes a plug-in file, trusted or not; returns its kind and name (that of the file).

    Args:
        content: of the file, where it has been read already.
    """
    file, content = Path(path), read_plugin(path) if content is None else content
    specification = importlib.util.spec_from_file_location(f"gans_plugin_{file.stem}", file)
    if specification is None:
        raise UsageError(f"plug-in {path}: not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # where dataclasses and pickle look
    try:
        exec(compile(update_imports(content, path), str(file), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[specification.name]
        raise UsageError(f"plug-in {path}: {type(error).__name__}: {error}") from error
    found = [(kind, value) for kind in KINDS for value in _plugins(kind, module)]
    if not found and (lack := _describe_lack(module)):
        raise UsageError(f"plug-in {path}: {lack}")
    if len(found) != 1:
        raise UsageError(f"plug-in {path}: must hold exactly one public plug-in, holds {len(found)}")
    (kind, value), name = found[0], plugin_name(path)
    taken = {"form", "recipe"} if kind in ("form", "recipe") else {kind}  # both stand after --loss
    if any(name in built_in_names(other) for other in taken):
        raise UsageError(f"plug-in {path}: there is already a {kind} named {name}; rename the file")
    first_line = (module.__doc__ or "").strip().partition("\n")[0]
    _from_files[kind, name] = _FilePlugin(value, first_line, file.resolve(), content_hash(content))
    return kind, name


def _files(kind: str) -> Sequence[Path]:
    """Plug-in files in the folder of a kind."""
    package = KINDS[kind].package
    if not package:
        return ()
    folder = ROOT.joinpath(*package.split("."))
    return _files_in(folder, folder.stat().st_mtime_ns)


@lru_cache(2 * len(KINDS))
def _files_in(folder: Path, changed: int) -> tuple[Path, ...]:
    """Plug-in files in a folder, which is read again only when it was changed: names are asked for often."""
    return tuple(sorted(path for path in folder.glob("*.py") if path.name[0] != "_"))


def _entries(kind: str) -> "list[EntryPoint]":
    """Entry points of a kind in installed packages."""
    return [entry for entry in _installed_entry_points() if entry.name.startswith(f"{kind}.")]


@cache
def _installed_entry_points() -> "tuple[EntryPoint, ...]":
    """Entry points of installed packages, looked up once, because it reads a file of each package."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group="gans"))


def _plugins(kind: str, module: ModuleType) -> list[Any]:
    """Plug-ins of a kind that a module defines."""
    return [value for value in _public(module) if KINDS[kind].is_plugin(value, module)]


def _describe_lack(module: ModuleType) -> str:
    """Describes which methods a class lacks to be a plug-in; empty where no class lacks any."""
    for name, kind in KINDS.items():
        for value in _public(module):
            if kind.is_class(value, module) and (lacking := sorted(value.__abstractmethods__)):
                return f"class {value.__name__} lacks {', '.join(lacking)}, which every {name} has"
    return ""


def _public(module: ModuleType) -> list[Any]:
    """Values of the public names of a module."""
    return [value for name, value in vars(module).items() if not name.startswith("_")]


@cache
def _only_plugin(kind: str, module: ModuleType) -> Any:
    """The one plug-in of a kind that a module must define."""
    found = _plugins(kind, module)
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must hold exactly one public {kind}, holds {len(found)}")
    return found[0]
