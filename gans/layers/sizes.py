"""Image sizes of networks that halve an image repeatedly: how often, and which size is left."""


def count_halvings(height: int, width: int) -> int:
    """Number of times an image is halved: as long as both sides are even, and at least 4 pixels remain.

    Raises ValueError where that ends with 16 pixels or more on the short side, or at once.
    """
    count = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 8:
        height, width, count = height // 2, width // 2, count + 1
    if count == 0 or min(height, width) >= 16:
        raise ValueError(
            f"image size {height << count}x{width << count}: both sides are halved until 4 to 15 pixels "
            f"remain, but {height}x{width} cannot be halved; take multiples of a power of two, as in "
            "--image-size 28, 32, 48 or 64"
        )
    return count


def smallest_size(height: int, width: int) -> tuple[int, int]:
    """The size that is left after all halvings. Raises ValueError where `count_halvings` does."""
    count = count_halvings(height, width)
    return height >> count, width >> count
