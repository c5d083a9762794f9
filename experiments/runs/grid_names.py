"""File names of sample grids, `kimg-000012.png` and `kimg-000012.544.png`, and the times that they tell."""

import re

REAL_IMAGES = "real.png"  # the picture of real images beside the grids
NAME = re.compile(r"kimg-([0-9]{6,15}(?:\.[0-9]{3})?)\.png")


def grid_name(seen: int, previous_seen: int, interval: int) -> str:
    """The file name of the sample grid of a step: no two steps of a run have the same.

    The step at which a whole kimg is reached is named after it, with batches as they are a little later;
    others are named to the image, and so are all grids that come more often than once a kimg: their names
    sort by time.

    Args:
        seen: images shown after the step.
        previous_seen: images shown before it.
        interval: images between two grids.

    >>> grid_name(12_032, 11_968, 3000), grid_name(12_544, 12_480, 3000), grid_name(12_032, 11_968, 500)
    ('kimg-000012.png', 'kimg-000012.544.png', 'kimg-000012.032.png')
    """
    kimg, rest = divmod(seen, 1000)
    is_whole = interval >= 1000 and previous_seen // 1000 < kimg
    return f"kimg-{kimg:06d}.png" if is_whole else f"kimg-{kimg:06d}.{rest:03d}.png"


def kimg_of_grid(name: str) -> float | None:
    """The kimg in the file name of a sample grid, whole where it is; None for another name.

    >>> kimg_of_grid("kimg-000012.png"), kimg_of_grid("kimg-000012.544.png"), kimg_of_grid("real.png")
    (12, 12.544, None)
    """
    found = NAME.fullmatch(name)
    if found is None:
        return None
    return float(found[1]) if "." in found[1] else int(found[1])
