"""Parameter counts of published networks, by closed formulas written from their papers' tables."""

from itertools import pairwise

WIDEST, Z = 512, 512


def sides(side: int) -> list[int]:
    return [1 << n for n in range(2, side.bit_length())]


def widths(base: int, side: int) -> list[int]:
    """Channels at every size from 4 pixels on: base / side, at most 512."""
    return [min(base // each, WIDEST) for each in sides(side)]


def convolution(inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> int:
    return kernel * kernel * inputs * outputs + bias * outputs


def mapping(layers: int) -> int:
    return layers * (Z * Z + Z)


def stylegan2(base: int, side: int, layers: int, skips: bool = True) -> tuple[int, int]:
    """Generator and critic of StyleGAN2: skips in the one, residual blocks in the other."""
    wide = widths(base, side)

    def styled(inputs: int, outputs: int) -> int:  # with a style of its own, and one scale of noise
        return convolution(inputs, outputs) + 1 + Z * inputs + inputs

    def image(inputs: int) -> int:
        return convolution(inputs, 3, 1) + Z * inputs + inputs

    pairs = list(pairwise(wide))
    generator = mapping(layers) + 16 * wide[0] + styled(wide[0], wide[0]) + image(wide[0])
    generator += sum(styled(a, b) + styled(b, b) + image(b) for a, b in pairs)
    critic = convolution(3, wide[-1], 1) + head(wide[0])
    critic += sum(
        convolution(b, b) + convolution(b, a) + skips * convolution(b, a, 1, bias=False) for a, b in pairs
    )
    return generator, critic


def head(wide: int) -> int:
    """Last layers of a critic, with the map of the minibatch standard deviation."""
    return convolution(wide + 1, wide) + 16 * wide * wide + wide + wide + 1


def progan(base: int, side: int) -> tuple[int, int]:
    """Generator and critic of ProGAN (table 2), whose every size has layers from and to images."""
    wide = widths(base, side)
    pairs = list(pairwise(wide))
    generator = Z * wide[0] * 16 + wide[0] + convolution(wide[0], wide[0])
    generator += sum(convolution(a, b) + convolution(b, b) for a, b in pairs)
    generator += sum(convolution(each, 3, 1) for each in wide)
    critic = sum(convolution(3, each, 1) for each in wide) + head(wide[0])
    critic += sum(convolution(b, b) + convolution(b, a) for a, b in pairs)
    return generator, critic


def stylegan(base: int, side: int) -> tuple[int, int]:
    """Generator and critic of StyleGAN, without the layers to and from images of 4 pixels.

    Growing begins at 8 pixels, so that nothing ever trains those.
    """
    wide = widths(base, side)
    pairs = list(pairwise(wide))
    epilogue = [each * (1 + 1 + 2 * Z + 2) for each in wide]  # noise, bias, and a scale and shift from w
    generator = mapping(8) + 16 * wide[0] + 9 * wide[0] ** 2 + 2 * sum(epilogue)
    generator += sum(9 * a * b + 9 * b * b for a, b in pairs)
    generator += sum(convolution(each, 3, 1) for each in wide[1:])
    return generator, progan(base, side)[1] - convolution(3, wide[0], 1)


def r3gan(
    full: int, halves: int, scales: int, group: int, classes: int = 0, z: int = 64, blocks: int = 2
) -> tuple[int, int]:
    """Generator and critic of R3GAN, config E: blocks widen twofold.

    Args:
        halves: scales beside the image at which the width halves, each once more.
        blocks: of a scale.
    """
    wide = [full] * (scales - halves) + [full >> n for n in range(1, halves + 1)]
    block = [2 * w * w + 2 * w + 9 * group * 2 * w + 2 * w + 2 * w * w for w in wide]
    shared = blocks * sum(block) + sum(a * b for a, b in pairwise(wide) if a != b) + 3 * wide[-1]
    embedded = classes and z
    generator = shared + 16 * full + (z + embedded) * full + classes * embedded
    return generator, shared + 16 * full + (full * full + classes * full if classes else full)
