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
        departures="""
            * Rates stay as they are, as in algorithm 1; the authors' code for CIFAR-10 lets them fall to 0 in
              a line: `--lr-schedule linear --lr-decay-from 0`.
            * The critic has no norm; the paper recommends layer norm where one is wanted: `--critic-norm
              layer`.
            * The root of the gradient norm has a floor, 1e-20 inside it, so that its slope at 0 is finite; no
              norm above 1e-6 changes by it.
        """,
    ),
    "wgan-lp": Recipe(
        paper="Petzka et al. 2018, arXiv:1709.08894, equation 8",
        summary="Wasserstein distance with a penalty on gradients above norm one only (Petzka et al. 2018).",
        form="wgan",
        settings=(*_WASSERSTEIN_WITH_PENALTY, defaults(penalty_norm="one-sided")),
        departures="""
            * Weight, points, optimizer and `n_critic` are those of `wgan-gp`; the paper tries several
              weights.
            * The root of the gradient norm has a floor, as in `wgan-gp`.
        """,
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
        departures="""
            * Noise is uniform and scaled by one number in [0, 1) for each sample, as in the authors' code;
              algorithm 1 of the paper has Gaussian noise: `--penalty dragan-gaussian`.
            * The penalty is taken on the logits, as in the authors' code; the paper writes it for the
              probability.
            * The optimizer is Adam with DCGAN's numbers; the authors' code has rates of 1e-4 and betas (0.5,
              0.9).
        """,
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
        departures="""
            * The penalty has the ½ of equation 9; the authors' code leaves it out, so that its `reg_param` 10
              is `--penalty-weight 20` here.
            * The optimizer is Adam with betas (0.0, 0.99) and rates of 2e-4; the authors' code has RMSprop
              and 1e-4: `--optimizer rmsprop --lr-generator 1e-4 --lr-critic 1e-4`.
        """,
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
        departures="""
            * γ is 0.05 up to 32 pixels, as for CIFAR-10, and 1 beyond; the paper chooses it for each data
              set: the presets of the architecture `r3gan`, or `--penalty-weight`.
            * γ falls to a tenth along a cosine of the whole run; in the paper it does so over the burn-in,
              with rates, β2 and EMA: the presets of `r3gan`.
            * The generator's step compares with the critic's real samples, so that each is shown once; the
              authors' code takes fresh ones.
        """,
    ),
}
