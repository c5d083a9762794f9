"""Values of published configurations, as `--dry-run` shows them: one row for each preset and image size."""

from typing import Any, NamedTuple

from tests.gans import published_sizes as sizes

NONE = "–"


class Row(NamedTuple):
    """A row of a published table, with the size of both networks where it is known."""

    arch: str
    preset: str
    flags: dict[str, Any]
    parameters: tuple[int, int] | None
    expected: dict[str, str]


def row(arch: str, preset: str, parameters: Any, /, *flags: int, **expected: str) -> Row:
    size = {"image_size": (flags[0], flags[0])} if flags else {}
    return Row(arch, preset, size, parameters, expected)


def stylegan2(
    batch: int, rate: str, gamma: str, ema: str, ramp: str, group: int, layers: int
) -> dict[str, str]:
    found = {"batch_size": str(batch), "lr_generator": rate, "lr_critic": rate, "penalty_weight": gamma}
    found |= {"ema_kimg": ema, "ema.ramp_up": ramp, "minibatch_statistic.group_size": str(group)}
    return found | {"arch.mapping_layers": str(layers), "penalty_every": "16", "optimizer.betas": "0,0.99"}


def r3gan(batch: int, gamma: str, ema: str, burn_in: int, kimg: str, p: str = "") -> dict[str, str]:
    """Columns of table 9, and the authors' p: over the burn-in all moves along one cosine."""
    cosines = {"ada": f"0:{p}"} if p else {}
    cosines |= {"beta2": "0.9:0.99", "ema_kimg": f"0:{ema}"}
    cosines |= dict.fromkeys(("lr_critic", "lr_generator"), "0.0002:5e-05")
    found = {"batch_size": str(batch), "penalty_weight": gamma, "penalty_anneal": "0.1", "ema_kimg": ema}
    found |= {"schedule": ",".join(f"{key}=cosine:{ends}" for key, ends in cosines.items())}
    found |= {"schedule_kimg": str(burn_in), "kimg": kimg, "z_dim": "64", "lr_schedule": "constant"}
    pipe = {"ada.transforms": "bgc,cutout", "ada.colour_share": "0.5", "critic_augment": f"ada:{p}"}
    found |= pipe if p else {"critic_augment": "none"}
    return found | {"ema.ramp_up": NONE, "optimizer.betas": "0,0.99"}


F = 30_370_060, 29_012_513  # as NVlabs' code prints them
MANY = "25000"
TABLE = [
    # stylegan2-ada-pytorch: batch, rate, γ, EMA and its ramp-up, group, mapping layers.
    row("stylegan2", "paper", F, 1024, kimg=MANY, **stylegan2(32, "0.002", "10", "10", NONE, 4, 8)),
    row(
        "stylegan2",
        "paper",
        sizes.stylegan2(32768, 64, 8),
        64,
        **stylegan2(32, "0.0025", "0.0256", "10", NONE, 4, 8),
    ),
    row("stylegan2", "stylegan2", F, kimg=MANY, **stylegan2(32, "0.002", "10", "10", NONE, 4, 8)),
    row(
        "stylegan2",
        "paper256",
        sizes.stylegan2(16384, 256, 8),
        kimg=MANY,
        **stylegan2(64, "0.0025", "1", "20", NONE, 8, 8),
    ),
    row(
        "stylegan2",
        "paper512",
        sizes.stylegan2(32768, 512, 8),
        kimg=MANY,
        **stylegan2(64, "0.0025", "0.5", "20", NONE, 8, 8),
    ),
    row("stylegan2", "paper1024", F, kimg=MANY, **stylegan2(32, "0.002", "2", "10", NONE, 4, 8)),
    row(
        "stylegan2",
        "cifar",
        sizes.stylegan2(32768, 32, 2, skips=False),
        image_size="32x32",
        kimg="100000",
        **stylegan2(64, "0.0025", "0.01", "500", "0.05", 32, 2),
        **{"arch.style_mixing": "0", "arch.path_length_weight": "0", "arch.critic_skips": "none"},
    ),
    *(
        row(
            "stylegan2",
            "ada-auto",
            sizes.stylegan2(base, side, 2),
            side,
            kimg=MANY,
            **stylegan2(batch, rate, gamma, ema, "0.05", 4, 2),
        )
        for side, base, batch, rate, gamma, ema in (
            (128, 16384, 32, "0.0025", "0.1024", "10"),
            (256, 16384, 16, "0.0025", "0.8192", "5"),
            (512, 32768, 8, "0.0025", "6.5536", "2.5"),
            (1024, 32768, 4, "0.002", "52.4288", "1.25"),
        )
    ),
    row(
        "progan",
        "paper",
        (23_079_115, 23_087_249),
        1024,
        batch_size="16",
        lr_generator="0.001",
        lr_critic="0.001",
        **{"arch.stage_batch_sizes": "256:14,512:6,1024:3", "minibatch_statistic.group_size": "16"},
    ),
    row(
        "progan",
        "celeba-hq",
        sizes.progan(16384, 1024),
        kimg="19000",
        augment="flip=0.5",
        penalty_weight="10",
        **{"arch.stage_batch_sizes": "256:14,512:6,1024:3", "arch.fade_kimg": "800"},
    ),
    row("progan", "lsun", sizes.progan(16384, 256), kimg="20000", **{"arch.stage_batch_sizes": NONE}),
    row(
        "progan",
        "v2-1gpu",
        sizes.progan(16384, 1024),
        kimg="12000",
        batch_size="4",
        **{"arch.stage_batch_sizes": "4:128,8:128,16:128,32:64,64:32,128:16,256:8,512:4"},
        **{"arch.stage_rate_factors": "1024:1.5", "arch.stable_kimg": "600"},
    ),
    row(
        "progan",
        "v2-8gpus",
        sizes.progan(16384, 1024),
        batch_size="32",
        **{"arch.stage_batch_sizes": "4:512,8:256,16:128,32:64,64:32"},
        **{"arch.stage_rate_factors": "128:1.5,256:2,512:3,1024:3"},
    ),
    row(
        "stylegan",
        "ffhq",
        sizes.stylegan(16384, 1024),
        batch_size="32",
        kimg=MANY,
        penalty_weight="10",
        lr_generator="0.001",
        **{"arch.stage_batch_sizes": "8:256,16:128,32:64,64:32"},
        **{"arch.stage_rate_factors": "128:1.5,256:2,512:3,1024:3"},
    ),
    row(
        "stylegan",
        "paper",
        sizes.stylegan(16384, 128),
        128,
        batch_size="32",
        **{"arch.stage_batch_sizes": "8:256,16:128,32:64,64:32", "arch.stage_rate_factors": "128:1.5"},
    ),
    row(
        "stylegan",
        "1gpu",
        sizes.stylegan(16384, 1024),
        batch_size="4",
        **{"arch.stage_batch_sizes": "8:128,16:128,32:64,64:32,128:16,256:8,512:4"},
    ),
    *(
        row("r3gan", preset, sizes.r3gan(width, halves, scales, group, classes), **r3gan(*columns))
        for preset, width, halves, scales, group, classes, *columns in (
            ("cifar10", 768, 0, 4, 16, 6, 512, "0.05", "5000", 20_000, "250000", "0.55"),
            ("ffhq64", 768, 1, 5, 16, 0, 256, "2", "500", 20_000, "100000", "0.3"),
            ("ffhq256", 768, 3, 7, 16, 0, 256, "150", "500", 20_000, "200000", "0.3"),
            ("imagenet32", 1536, 0, 4, 32, 6, 4096, "0.5", "50000", 200_000, "1e+06", "0.5"),
            ("imagenet64", 1536, 0, 5, 32, 6, 4096, "1", "50000", 200_000, "1e+06", "0.4"),
        )
    ),
    *(  # the row of table 9 by image size
        row("r3gan", "paper", sizes.r3gan(768, halves, scales, 16), side, **r3gan(*columns))
        for side, halves, scales, *columns in (
            (16, 0, 3, 512, "0.05", "5000", 20_000, "250000"),
            (32, 0, 4, 512, "0.05", "5000", 20_000, "250000"),
            (64, 1, 5, 256, "2", "500", 20_000, "100000"),
            (128, 2, 6, 256, "150", "500", 20_000, "200000"),
            (256, 3, 7, 256, "150", "500", 20_000, "200000"),
        )
    ),
    *(
        row(
            arch,
            preset,
            # The authors' code prints 11.378 M and 2.765 M of one direction; 54.414 M and 2.769 M of pix2pix.
            (2 * 11_378_179, 2 * 2_764_737) if arch == "cyclegan" else (54_413_955, 2_768_705),
            batch_size="1",
            image_size="256x256",
            kimg=kimg,
            lr_generator="0.0002",
            augment="crop=0.1171875,flip=0.5",
            **{"crop.border": "enlarge", "optimizer.betas": "0.5,0.999"},
        )
        for arch, preset, kimg in (
            ("cyclegan", "paper", "266.8"),
            ("cyclegan", "horse2zebra", "266.8"),
            ("cyclegan", "maps", "219.2"),
            ("pix2pix", "paper", "80"),
            ("pix2pix", "facades", "80"),
            ("pix2pix", "maps", "219.2"),
            ("pix2pix", "cityscapes", "595"),
        )
    ),
    row(
        "stargan",
        "paper",
        # The authors' code prints 8,430,528 and 44,762,048 for five attributes; there are six here.
        (8_430_528 + 49 * 64, 44_762_048 + 4 * 2048),
        batch_size="16",
        image_size="128x128",
        kimg="3200",
        n_critic="5",
        lr_generator="0.0001",
        lr_schedule="linear",
        lr_decay_from="0.5",
        augment="flip=0.5",
        penalty_weight="10",
        **{"optimizer.betas": "0.5,0.999"},
    ),
]
