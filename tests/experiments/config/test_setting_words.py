"""Words of the command line, read as the values of settings."""

from typing import Any

import pytest

from experiments.core.settings import read_setting


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("image_size", "32", (32, 32)),
        ("image_size", "48x64", (48, 64)),
        ("betas", "0,0.9", (0.0, 0.9)),
        ("penalty", "real,fake", ("real", "fake")),
        (
            "regularizers",
            "weight-clip=0.01,instance-noise=1",
            (("instance-noise", 1.0), ("weight-clip", 0.01)),
        ),
        ("kimg", "1e2", 100.0),
    ],
)
def test_words_are_read(name: str, words: str, value: Any) -> None:
    assert read_setting(name, words) == value
    assert (
        [type(part) for part in value] == [type(p) for p in read_setting(name, words)]
        if isinstance(value, tuple)
        else True
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image_size", "0"), ("image_size", "8x"), ("image_size", "1x2x3"), ("image_size", "-8"),
        ("betas", "0.5"), ("betas", "0.5,1.0"), ("betas", "a,b"), ("batch_size", "2.5"), ("seed", "-1"),
        ("lr_critic", "0"), ("lr_critic", "nan"), ("lr_critic", "inf"), ("lr_critic", "1e9"),
        ("channels", "257"), ("regularizers", "weight-clip"), ("kimg", "0"),
    ],
)  # fmt: skip
def test_impossible_words_are_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_setting(name, words)
