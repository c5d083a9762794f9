"""Every command, flag and option that a message, a help text or a docstring names can be typed."""

import pytest

from tests.house.advice import faults, texts


def test_whatever_a_text_advises_can_be_typed() -> None:
    found = [f"{text.place}: {fault}" for text in texts() for fault in faults(*text)]
    assert not found, (
        "advice that does not work. Correct the text; where a placeholder or hole has no sensible value, "
        "give its flag one in EXAMPLES of tests/house/advice.py:\n" + "\n".join(found)
    )


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("make it with gans train --data X", "no command gans train"),
        ("gans sample RUN --number 3 draws them", "gans sample has no --number"),
        ("gans sample RUN -n none", "gans sample run -n none"),
        ("write gans train-classifier --data", "a value is missing"),
        ("gans export RUN", "--out"),
        ("take --learning-rate 1", "no command has --learning-rate"),
        ("take --critic-norm layernorm", "no such norm"),
        ("choose --fit squeeze or stretch", "--fit squeeze"),
        ("with --set kid.size=⟦⟧", "no component has that option"),
        ("with --set kid.subset_size=many", "not a whole number"),
        ("sets it: --set fade_kimg.x=3", "no component"),
    ],
)
def test_faults_are_found(words: str, fault: str) -> None:
    assert fault in "; ".join(faults(words))


def test_sums_and_holes_are_read() -> None:
    import ast

    from tests.house.advice import literals

    tree = ast.parse("""x(f"a {b(f'--no {c}')} " + ("--one" if d else "--two") + f"{e} f")""")
    assert sorted(words for _, words in literals(tree)) == ["--no ⟦⟧", "--one", "--two", "a ⟦⟧ ⟦⟧⟦⟧ f"]
