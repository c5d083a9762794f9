"""Components' options: every one is declared well, read within its bounds, and refused outside of them."""

from dataclasses import fields
from typing import Any

import pytest

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.options import (
    NAMED,
    SLOTS,
    canonical_key,
    describe_options,
    is_list_option,
    make_options,
    options_type,
    plugins_in,
    read_option,
)
from experiments.core.value_format import cut_apart, format_value

KINDS = sorted({*SLOTS.values(), *NAMED})
COMPONENTS = [(kind, name) for kind in KINDS for name in plugins_in(kind)]
SLOT_OF = {kind: slot for slot, kind in SLOTS.items()}
OPTIONS = [
    (kind, name, option) for kind, name in COMPONENTS for option in describe_options(kind, name).options
]


@pytest.mark.parametrize(("kind", "name", "option"), OPTIONS)
def test_a_default_is_within_its_own_bounds_and_has_help(kind: str, name: str, option: str) -> None:
    owner = describe_options(kind, name)
    field = owner.options[option]
    assert owner.readers[option](field.default) == field.default
    line = field.metadata["help"]
    assert line[0].isupper() and line.endswith(".") and len(line.split()) > 1


@pytest.mark.parametrize(("kind", "name", "option"), OPTIONS)
def test_values_beyond_the_bounds_are_refused(kind: str, name: str, option: str) -> None:
    owner = describe_options(kind, name)
    bounds = owner.options[option].metadata
    takes_any_words = "str" in str(owner.options[option].type) and "choices" not in bounds  # as of a column
    is_word = isinstance(owner.options[option].default, str)
    wrong: list[Any] = [] if is_word or takes_any_words else ["nonsense"]
    if "at_least" in bounds:
        wrong.append(bounds["at_least"] - 1)
    if "above" in bounds:
        wrong.append(bounds["above"])
    if "at_most" in bounds:
        wrong.append(bounds["at_most"] + 1)
    if "below" in bounds:
        wrong.append(bounds["below"])
    is_list = isinstance(owner.options[option].default, tuple)
    for value in wrong:
        with pytest.raises(ValueError):
            owner.readers[option]((value, value) if is_list else value)


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_options_are_made_from_keys(kind: str, name: str) -> None:
    """What stands under a component's prefix reaches its dataclass, and nothing else does."""
    declared = options_type(kind, name)
    if declared is None:
        return
    prefix = SLOT_OF.get(kind, name)
    usual = declared()
    values = {f"{prefix}.{each.name}": getattr(usual, each.name) for each in fields(declared)}
    assert make_options(declared, prefix, values | {"other.thing": 1}) == usual


def test_keys_have_one_spelling() -> None:
    assert canonical_key("minibatch-statistic.group-size") == "minibatch_statistic.group_size"
    assert canonical_key("precision_recall.k") == "precision-recall.k"


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("arch.mapping_layers", "2", 2),
        ("arch.style_mixing", "0.25", 0.25),
        ("arch.fade_kimg", "none", None),
        ("optimizer.betas", "0.5,0.9", (0.5, 0.9)),
        ("optimizer.betas", [0.5, 0.9], (0.5, 0.9)),
        ("arch.stage_batch_sizes", "8:16,4:32", ((4, 32), (8, 16))),
        ("ema.ramp_up", "none", None),
    ],
)
def test_words_and_json_are_read_alike(key: str, value: Any, found: Any) -> None:
    components = {"arch": "stylegan", "optimizer": "adam", "ema": "ema"}
    assert read_option(key, value, components) == found


@pytest.mark.parametrize(
    ("key", "mentions"),
    [
        ("arch.maping_layers", "did you mean arch.mapping_layers"),
        ("arch.nothing_like_it", "it has arch.widest, .*arch.style_mixing"),
        ("archh.mapping_layers", "there is no component archh; did you mean arch"),
        ("optimizer.nesterov", "optimizer adam has no option nesterov"),
    ],
)
def test_unknown_keys_name_what_there_is(key: str, mentions: str) -> None:
    with pytest.raises(UsageError, match=mentions):
        read_option(key, 1, {"arch": "stylegan2", "optimizer": "adam"})


def test_a_number_that_no_tensor_holds_is_refused() -> None:
    components = {"arch": "stylegan2"}
    assert read_option("arch.mapping_layers", 2**63 - 1, components) == 2**63 - 1
    with pytest.raises(ValueError, match="below 2"):
        read_option("arch.mapping_layers", 2**63, components)


def test_lists_are_known() -> None:
    assert is_list_option("optimizer.betas") and not is_list_option("arch.mapping_layers")


def test_every_kind_is_listed_once() -> None:
    plurals = [kind.plural for kind in registry.KINDS.values() if kind.plural]
    assert len(plurals) == len(set(plurals))


def test_values_are_written_as_their_flags_take_them() -> None:
    """A pair of whole numbers is a size for image_size alone: 0x65535 would be a number."""
    assert format_value((32, 48), "image_size") == "32x48"
    assert format_value((0, 65535), "data.range") == "0,65535"
    assert format_value((0.0, 0.9), "betas") == "0,0.9"


def test_cut_texts_that_differ_remain_different() -> None:
    texts = ["a" * 30 + "1", "a" * 30 + "2", "a" * 15 + "b" + "a" * 15, "short", "short"]
    cut = cut_apart(texts, 8)
    assert len(set(cut)) == 4 and cut[3] == cut[4] == "short"
    assert all("…" in text and len(text) < 31 for text in cut[:3])
    assert cut_apart(texts[:2], 8) == ["aaaa…aa1", "aaaa…aa2"] and cut_apart(texts[:1], 31) == texts[:1]
