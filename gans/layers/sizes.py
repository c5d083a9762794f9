"""Image sizes of networks that halve an image repeatedly: how often, and which size is left."""

SMALLEST, LARGEST = 4, 15  # pixels on the short side that is left


def count_halvings(height: int, width: int) -> int:
    """Number of times an image is halved: as long as both sides are even, and at least 4 pixels remain.

    Raises ValueError, with the nearest sizes that can be, where that ends with 16 pixels or more on the short
    side, or at once.
    """
    left, count = _halve(height, width)
    if count == 0 or min(left) > LARGEST:
        raise ValueError(
            f"image size {height}x{width}: both sides are halved until {SMALLEST} to {LARGEST} pixels "
            f"remain, and {left[0]}x{left[1]} cannot be halved; take "
            + propose_sizes(_halvable_near(height, width))
        )
    return count


def smallest_size(height: int, width: int) -> tuple[int, int]:
    """The size that is left after all halvings. Raises ValueError where `count_halvings` does."""
    count = count_halvings(height, width)
    return height >> count, width >> count


def propose_sizes(sizes: list[tuple[int, int]]) -> str:
    """Words that propose image sizes (height, width), as flags."""
    words = (f"--image-size {height}" + (f"x{width}" if width != height else "") for height, width in sizes)
    return " or ".join(dict.fromkeys(words))


def multiples_near(height: int, width: int, multiple: int, least: int) -> list[tuple[int, int]]:
    """The nearest sizes below and above whose sides are multiples of a number, and `least` or more."""
    below, above = (
        tuple(max(least, (side + more) // multiple * multiple) for side in (height, width))
        for more in (0, multiple - 1)
    )
    return [(below[0], below[1]), (above[0], above[1])]


def _halve(height: int, width: int) -> tuple[tuple[int, int], int]:
    """The size that halving ends with, and the number of halvings."""
    count = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 2 * SMALLEST:
        height, width, count = height // 2, width // 2, count + 1
    return (height, width), count


def _halvable_near(height: int, width: int) -> list[tuple[int, int]]:
    """The nearest sizes below and above that can be halved."""

    def is_halvable(size: tuple[int, int]) -> bool:
        left, count = _halve(*size)
        return count > 0 and min(left) <= LARGEST

    def change(size: tuple[int, int]) -> int:
        return abs(size[0] - height) + abs(size[1] - width)

    def is_larger(size: tuple[int, int]) -> bool:
        return size[0] > height or size[1] > width

    counts = range(1, max(height, width).bit_length())
    pairs = [multiples_near(height, width, 2**count, SMALLEST * 2**count) for count in counts or (1,)]
    sizes = sorted({size for pair in pairs for size in pair if is_halvable(size)}, key=change)
    smaller = [size for size in sizes if not is_larger(size)]
    return smaller[:1] + [size for size in sizes if is_larger(size)][:1]
