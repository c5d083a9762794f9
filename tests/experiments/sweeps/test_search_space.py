"""Which members a sweep has, what they are called, and which words are refused."""

import math

import pytest

from experiments.core.errors import UsageError
from experiments.sweeps.search_space import Range, Sweep, read_choices, read_range


def test_the_product_with_seeds():
    sweep = Sweep({"arch": ["dcgan"], "loss": ["bce", "hinge"], "lr_generator": [1e-4, 2e-4]}, range(5, 7))
    names = [member.name for member in sweep.sweep_runs()]
    assert names[:3] == ["bce-lr_generator=0.0001-seed-5", "bce-lr_generator=0.0001-seed-6", names[2]]
    assert len(set(names)) == 8
    first = sweep.sweep_runs()[0]
    assert first.settings == {"arch": "dcgan", "loss": "bce", "lr_generator": 1e-4} and first.seed == 5


def test_one_setting_is_named_by_its_seed_alone():
    assert [m.name for m in Sweep({"arch": ["dcgan"]}, range(2)).sweep_runs()] == ["seed-0", "seed-1"]


def test_names_that_any_file_system_takes():
    (member,) = Sweep({"data": ["folder:/a/b c", "shapes"]}, [0]).sweep_runs()[:1]
    assert member.name == "folder_a_b_c-seed-0"


def test_draws_are_uniform_on_a_log_scale_and_follow_from_the_seed():
    sweep = Sweep({"loss": ["bce", "hinge"]}, [3], {"lr_generator": Range(1e-5, 1e-3)}, draws=400)
    drawn = [member.settings["lr_generator"] for member in sweep.sweep_runs()]
    assert drawn == [member.settings["lr_generator"] for member in sweep.sweep_runs()]
    assert all(1e-5 <= rate <= 1e-3 for rate in drawn)
    assert sum(rate < 1e-4 for rate in drawn) / len(drawn) == pytest.approx(0.5, abs=0.08)
    assert {member.settings["loss"] for member in sweep.sweep_runs()} == {"bce", "hinge"}
    other = Sweep({}, [4], {"lr_generator": Range(1e-5, 1e-3)}, draws=400)
    assert drawn[0] != other.sweep_runs()[0].settings["lr_generator"]


def test_ranges_are_on_a_linear_scale_or_of_whole_numbers_where_asked():
    name, momentum = read_range("lr_decay_from=0:0.5", is_log=False)
    whole, options = read_range("width=4:64"), read_range("arch.hidden_layers=1:3")
    assert name == "lr_decay_from" and momentum == Range(0.0, 0.5, is_log=False)
    assert whole == ("width", Range(4, 64, is_whole=True)) and options[1] == Range(1, 3, is_whole=True)
    assert read_range("lr_generator=1:2")[1] == Range(1.0, 2.0)
    sweep = Sweep({}, [0], {name: momentum, **dict([whole, options])}, draws=300)
    drawn = [member.settings for member in sweep.sweep_runs()]
    assert sum(each[name] < 0.1 for each in drawn) / len(drawn) == pytest.approx(0.2, abs=0.06)
    assert sum(each["width"] < 16 for each in drawn) / len(drawn) == pytest.approx(0.5, abs=0.08)
    assert all(type(each["width"]) is int and 4 <= each["width"] <= 64 for each in drawn)
    assert {each["arch.hidden_layers"] for each in drawn} == {1, 2, 3}
    finer = [each.settings for each in sweep.finer_runs([{name: 0.1, "width": 16, "arch.hidden_layers": 2}])]
    assert all(0.0375 <= each[name] <= 0.1625 and type(each["width"]) is int for each in finer)


def test_folders_of_earlier_sweeps_keep_their_names():
    """They are a hash of the search space, as it was written before ranges had scales."""
    own = Range(1e-5, 1e-3)
    assert repr(own) == "Range(low=1e-05, high=0.001)" != repr(Range(1e-5, 1e-3, is_log=False))
    assert Sweep({}, [0], {"lr_critic": own}, 4).digest == "05e89884"


def test_a_longer_sweep_begins_with_the_same_draws():
    few, many = (Sweep({}, [0], {"lr_critic": Range(1e-5, 1e-3)}, draws=n).sweep_runs() for n in (3, 9))
    assert many[:3] == few


def test_the_finer_round_is_a_quarter_as_wide_around_the_best():
    sweep = Sweep({"loss": ["bce"]}, [0], {"lr_generator": Range(1e-6, 1e-2)}, draws=60)
    finer = sweep.finer_runs([{"loss": "bce", "lr_generator": 1e-4}])
    logs = [math.log10(member.settings["lr_generator"]) for member in finer]
    assert -4.51 < min(logs) < -4.4 and -3.6 < max(logs) < -3.49
    edge = sweep.finer_runs([{"loss": "bce", "lr_generator": 1e-6}])
    assert all(member.settings["lr_generator"] >= 1e-6 for member in edge)


def test_values_between_commas_and_lists_between_semicolons():
    assert read_choices("lr-generator", "1e-4, 2e-4") == [1e-4, 2e-4]
    assert read_choices("betas", "0.0,0.9;0.5,0.999") == [(0.0, 0.9), (0.5, 0.999)]
    assert read_choices("conditional", "true,false") == [True, False]
    assert read_choices("penalty", "none;interpolates,real") == [(), ("interpolates", "real")]


@pytest.mark.parametrize(
    ("name", "text", "mentions"),
    [
        ("lr_generatr", "1", "did you mean lr_generator"),
        ("lr_generator", "fast", "'fast' is not a number"),
        ("lr_generator", "1e-4,1e-4", "twice"),
        ("lr_generator", "", "at least one"),
        ("classes", "3", "unknown setting"),
        ("conditional", "perhaps", "true or false"),
    ],
)
def test_refused_choices(name, text, mentions):
    with pytest.raises(UsageError, match=mentions):
        read_choices(name, text)


@pytest.mark.parametrize(
    "text", ["lr_generator=1", "lr_generator=1e-3:1e-5", "lr_generator=0:1", "seed=1:9.5", "loss=1:2"]
)
def test_refused_ranges(text):
    with pytest.raises(UsageError, match="LOW:HIGH"):
        read_range(text)
    with pytest.raises(UsageError, match="did you mean width"):
        read_range("widht=1:2")


def test_two_sweeps_have_two_folders_whatever_their_seeds():
    one, same = (Sweep({"loss": ["bce"]}, range(n)) for n in (2, 3))
    assert one.digest == same.digest != Sweep({"loss": ["hinge"]}, range(2)).digest
    assert one.digest != Sweep({"loss": ["bce"]}, range(2), file={"width": 8}).digest
