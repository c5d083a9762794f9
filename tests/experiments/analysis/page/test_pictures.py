"""Sample grids over time: the slider of all runs and that of one mean the same image."""

from experiments.analysis.page.pictures import EmbeddedPicture, Timeline


def test_times_are_exact_and_words_are_short() -> None:
    """A rounded time can be later than the exact one, and the picture of that time would not be shown."""
    pictures = [EmbeddedPicture(kimg, f"data:{kimg}", 16, 16) for kimg in (5.0, 10.768)]
    timeline = Timeline("run", "", 0, pictures)
    assert timeline.data() == [(5.0, "5", "data:5.0"), (10.768, "10.77", "data:10.768")]
