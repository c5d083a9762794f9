"""Named losses: recipes that combine a form with a gradient penalty.

A form by itself carries its own recipe.

The numbers of the papers hold for `--preset paper`; those for `laptop` were found by looking at grids
that two processor cores train in a few minutes.
"""

from losses.recipe import Recipe, defaults

_WASSERSTEIN_WITH_PENALTY = (
    defaults(
        penalty=("interpolates",),
        penalty_weight=10.0,
        n_critic=5,
        optimizer="adam",
        lr_generator=1e-4,
        lr_critic=1e-4,
        betas=(0.0, 0.9),
    ),
    defaults(preset="laptop", lr_generator=1e-3, lr_critic=1e-3),
)

RECIPES = {
    "wgan-gp": Recipe(
        paper="Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1",
        summary="Wasserstein distance with a penalty on the critic's gradient (Gulrajani et al. 2017).",
        form="wgan",
        settings=(*_WASSERSTEIN_WITH_PENALTY, defaults(penalty_norm="one")),
    ),
    "wgan-lp": Recipe(
        paper="Petzka et al. 2018, arXiv:1709.08894, equation 8",
        summary="Wasserstein distance with a penalty on gradients above norm one only (Petzka et al. 2018).",
        form="wgan",
        settings=(*_WASSERSTEIN_WITH_PENALTY, defaults(penalty_norm="one-sided")),
    ),
    "dragan": Recipe(
        paper="Kodali et al. 2017, arXiv:1705.07215, and its authors' code",
        summary="bce with a penalty on the critic's gradient around the real samples (Kodali et al. 2017).",
        form="bce",
        settings=(
            defaults(
                penalty=("dragan",),
                penalty_norm="one",
                penalty_weight=10.0,
                n_critic=1,
                optimizer="adam",
                lr_generator=2e-4,
                lr_critic=2e-4,
                betas=(0.5, 0.999),
            ),
        ),
    ),
    "r1": Recipe(
        paper="Mescheder et al. 2018, arXiv:1801.04406, equation 9",
        summary="bce with a zero-centred penalty at the real samples (Mescheder et al. 2018).",
        form="bce",
        settings=(
            defaults(
                penalty=("real",),
                penalty_norm="zero",
                penalty_weight=10.0,
                n_critic=1,
                optimizer="adam",
                lr_generator=2e-4,
                lr_critic=2e-4,
                betas=(0.0, 0.99),
            ),
        ),
    ),
    "r3gan": Recipe(
        paper="Huang et al. 2024, arXiv:2501.05441, section 2",
        summary="Relativistic pairs, zero-centred penalties at real and fake samples (Huang et al. 2024).",
        form="relativistic",
        settings=(
            defaults(
                penalty=("real", "fake"),
                penalty_norm="zero",
                penalty_weight=1.0,
                penalty_anneal=0.1,
                n_critic=1,
                optimizer="adam",
                lr_generator=2e-4,
                lr_critic=2e-4,
                betas=(0.0, 0.99),
            ),
            defaults(up_to=32, penalty_weight=0.05),
        ),
    ),
}
