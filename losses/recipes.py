"""Named combinations of a form with a penalty. A form by itself carries its own recipe.

The numbers of the papers hold for `--preset paper`; those for `laptop` were found by looking at grids
that two processor cores train in three minutes.
"""

from losses.recipe import Recipe, defaults

RECIPES = {
    "wgan-gp": Recipe(
        paper="Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1",
        summary="Wasserstein distance with a penalty on the critic's gradient (Gulrajani et al. 2017).",
        form="wgan",
        settings=(
            defaults(
                penalty=("interpolates",),
                penalty_norm="one",
                penalty_weight=10.0,
                n_critic=5,
                optimizer="adam",
                lr_generator=1e-4,
                lr_critic=1e-4,
                betas=(0.0, 0.9),
            ),
            defaults(preset="laptop", lr_generator=1e-3, lr_critic=1e-3),
        ),
    ),
}
