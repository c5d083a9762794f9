"""The answer in words: sure, partly sure or not, and why."""

import pytest

from experiments.analysis.comparison.answer import answer_of, group_name
from experiments.analysis.comparison.groups import FailedRun, Group
from experiments.analysis.comparison.result import Comparison
from experiments.analysis.comparison.score_choice import ChosenScore
from experiments.analysis.comparison.terminal_table import compare_groups


def comparison_of(*groups: tuple[str, tuple[float, ...], int]) -> Comparison:
    """A comparison of losses with these scores, and so many runs that failed, from the best on."""
    made = [
        Group(
            {"loss": name},
            scores,
            tuple(range(len(scores))),
            tuple(f"{name}-{seed}" for seed in range(len(scores))),
            tuple(FailedRun(f"{name}-failed-{number}", 9, "failed") for number in range(failed)),
        )
        for name, scores, failed in groups
    ]
    chosen = ChosenScore("fid", False, (0.0, None), 8.0, (), (), {}, "")
    return Comparison(chosen, ["loss"], (), {}, "welch", compare_groups(made, False), ())


@pytest.mark.parametrize(
    ("groups", "certainty", "headline", "reason"),
    [
        (
            [("bce", (5.0, 5.1, 4.9), 0), ("wgan", (9.0, 9.1, 8.9), 0)],
            "sure",
            "bce has the best fid, and that is sure.",
            "A t test over the seeds finds wgan worse (p < 0.001).",
        ),
        (
            [("bce", (5.0, 5.1, 4.9), 0), ("hinge", (5.0, 5.2, 5.1), 0), ("wgan", (9.0, 9.1, 8.9), 0)],
            "partly sure",
            "bce has the best fid; that is sure against wgan, not against hinge.",
            "no significant difference from hinge; differences up to 0.418",
        ),
        (
            [("bce", (5.0, 6.0), 0), ("hinge", (5.5, 6.5), 0)],
            "not sure",
            "bce has the best fid, but that is not sure.",
            "no significant difference from hinge",
        ),
        (
            [("bce", (5.0,), 0), ("hinge", (6.0,), 0)],
            "not sure",
            "bce has the best fid, but that is not sure.",
            "No test can be made against hinge: one seed alone.",
        ),
        (
            # scipy.stats.ttest_ind(…, equal_var=False): p = 0.0384 with 1.74 degrees of freedom.
            [("bce", (5.0, 5.2), 0), ("hinge", (6.0, 6.3), 0)],
            "likely",
            "bce has the best fid, and that is likely.",
            "finds hinge worse (p ≤ 0.038); below 0.01 it would be sure.",
        ),
        (
            [("bce", (5.0, 5.1, 5.2), 0), ("hinge", (5.4, 5.5, 5.7), 0), ("wgan", (95.0, 95.1, 95.2), 0)],
            "likely",
            "bce has the best fid; that is sure against wgan, likely against hinge.",
            "finds wgan worse (p < 0.001). A t test over the seeds finds hinge worse",
        ),
        (
            [("bce", (5.0, 5.1, 4.9), 0), ("hinge", (4.0,), 2)],
            "likely",
            "bce has the best fid, and that is likely.",
            "Half of the runs or more did not end with hinge; of so few, that may be chance.",
        ),
        (
            # Fisher's exact p of 0 of 5 against 5 of 5 is 2 / C(10, 5) = 0.008.
            [("bce", (5.0, 5.1, 4.9, 5.0, 5.2), 0), ("hinge", (), 5)],
            "sure",
            "bce has the best fid, and that is sure.",
            "Half of the runs or more did not end with hinge.",
        ),
        (
            [("bce", (5.0,), 2), ("hinge", (4.0,), 2)],
            "not sure",
            "No setting is the best: in none did more than half of the runs end.",
            "4 of 6 runs failed, diverged or collapsed.",
        ),
        (
            [("bce", (0.0, 0.0), 0), ("hinge", (0.0, 0.0), 0)],
            "tied",
            "bce and hinge have the same fid: 0.",
            "Median and mean over the seeds are the same.",
        ),
        (
            [("bce", (4.0, 6.0), 0), ("hinge", (6.0, 4.0), 0)],
            "tied",
            "bce and hinge have the same fid: 5.",
            "are the same; differences up to 8 could hide",
        ),
        (
            [("bce", (5.0, 5.1, 4.9), 0), ("hinge", (4.9, 5.0, 5.1), 0), ("wgan", (9.0, 9.1, 8.9), 0)],
            "sure",
            "bce and hinge share the best fid, and that is sure.",
            "finds wgan worse (p < 0.001).",
        ),
        ([("bce", (5.0, 5.1), 0)], "not sure", "One setting alone: bce.", "nothing to compare it with"),
        (
            # An outlier makes the best median the worse mean.
            [("bce", (5.0, 5.0, 5.01, 5.02, 5.02), 0), ("hinge", (4.0, 4.0, 5.1, 5.1, 5.1), 0)],
            "not sure",
            "bce has the best fid, but that is not sure.",
            "hinge",
        ),
    ],
)
def test_answers(groups, certainty, headline, reason):
    answer = answer_of(comparison_of(*groups))
    assert (answer.certainty, answer.headline) == (certainty, headline) and reason in answer.reason


def test_many_names_are_counted():
    groups = [("bce", (5.0, 5.1, 4.9), 0), *((f"loss-{n}", (90.0, 91.0, 89.0), 0) for n in range(6))]
    assert "finds loss-0, loss-1 and 4 others worse" in answer_of(comparison_of(*groups)).reason


def test_names_of_groups():
    assert group_name(Group({}, (), (), ())) == "all runs"
    several = Group({"loss": "bce", "lr_critic": 0.0002, "optimizer.betas": (0.0, 0.9)}, (), (), ())
    assert group_name(several) == "bce, lr_critic 0.0002, optimizer.betas 0,0.9"
