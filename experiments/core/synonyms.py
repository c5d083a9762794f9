"""Words that other programs have for settings, flags and commands of this one, for `did you mean …?`."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

# Words for settings, and for flags that are none, as names with underscores. Where a command lacks one of the
# words to the right, that is left out.
SETTINGS = {
    ("arch",): "model architecture network net gan",
    ("augment",): "aug augmentation augmentations mirror hflip",
    ("batch_size",): "batch batchsize bs b mini_batch minibatch_size batch_gpu",
    ("betas",): "beta beta1 beta_1 beta2 beta_2 momentum b1 b2",
    ("checkpoint_kimg",): "save_every save_interval checkpoint_every checkpoint_interval snap",
    ("conditional",): "cond class_conditional labels use_labels",
    ("config",): "cfg settings yaml json_file",
    ("critic_dropout",): "dropout",
    ("critic_norm",): "norm discriminator_norm spectral_norm sn d_norm batch_norm",
    ("data",): "dataset data_set data_dir data_path datadir input_dir train_dir d",
    ("data_root",): "dataroot root dataset_root",
    ("device",): "gpu gpus gpu_ids cuda cpu accelerator mps no_cuda",
    ("ema_kimg",): "ema ema_decay ema_beta moving_average",
    ("evaluate_kimg",): "eval_every eval_interval evaluate_every fid_every metrics_every",
    ("evaluate_metrics",): "metrics metric",
    ("fit",): "resize crop pad padding letterbox stretch",
    ("force",): "overwrite f yes exist_ok",
    ("image_size",): "size resolution res img_size imsize imgsize image_resolution crop_size load_size sz",
    ("json",): "as_json format_json",
    ("kimg", "steps"): "epochs epoch n_epochs num_epochs total_kimg duration length",
    ("label",): "class y class_label",
    ("loss",): "objective criterion gan_mode loss_type",
    ("lr_critic",): "lr_d d_lr lr_discriminator lr_c critic_lr discriminator_lr dlr",
    ("lr_decay_from",): "decay_epoch lr_decay lr_decay_start",
    ("lr_generator",): "lr_g g_lr generator_lr glr",
    ("lr_generator", "lr_critic"): "lr learning_rate rate lrate learningrate step_size eta",
    ("lr_schedule",): "scheduler lr_scheduler lr_policy",
    ("lr_warmup_kimg",): "warmup warmup_steps lr_warmup",
    ("n",): "num count number num_samples n_samples samples num_images images nimg",
    ("n_critic",): "n_dis d_steps critic_iters n_disc n_discriminator critic_steps num_d_steps d_iters",
    ("optimizer",): "optim opt optimiser",
    (
        "out",
    ): "output o outdir out_dir output_dir outfile output_file save save_dir save_path results dest name",
    ("penalty_weight",): "gp gp_weight lambda lambda_gp gamma r1_gamma penalty_lambda gp_lambda",
    ("resume", "out"): "checkpoint ckpt load continue continue_train",
    ("sample_kimg",): "sample_every sample_interval image_snap log_images_every",
    ("seed",): "random_seed manual_seed manualseed rng",
    ("skip_bad",): "ignore_errors skip_errors skip skip_damaged",
    (
        "steps",
    ): "iterations iteration iters iter niter n_iter num_iterations num_steps max_steps max_iter n_steps",
    ("style_mixing",): "mixing mixing_prob",
    ("track",): "wandb tensorboard mlflow logger log log_to report_to tracker",
    ("truncation",): "trunc psi truncation_psi",
    ("weight_clip",): "clip clip_value clamp c",
    ("weights",): "inception_weights checkpoint_file",
    ("width",): "ngf ndf nf channels_base hidden hidden_dim features n_filters dim fmap_base cbase",
    ("z_dim",): "latent_dim nz latent_size z zdim noise_dim latent latents z_size",
}
COMMANDS = {
    "compare": "diff table rank",
    "directions": "sefa ganspace pca",
    "doctor": "diagnose check debug health",
    "evaluate": "eval score test validate metrics measure",
    "export": "convert save onnx",
    "fid": "distance frechet",
    "find-lr": "lr-find lr lr-finder range-test findlr",
    "interpolate": "morph lerp slerp film video animate",
    "list": "ls plugins show options",
    "project": "invert inversion embed encode projector",
    "report": "html page plot plots dashboard",
    "reproduce": "paper papers benchmark replicate",
    "run": "train fit start resume continue launch training",
    "sample": "generate gen draw samples images make",
    "stats": "statistics moments",
    "sweep": "search grid tune hyperparameters hpo",
    "sync": "upload push wandb",
    "train-classifier": "classifier train-extractor",
    "translate": "apply convert-images infer inference predict transfer",
}

# Words for components by kind, with hyphens, as names of plug-ins are written.
COMPONENTS: dict[str, dict[tuple[str, ...], str]] = {
    "architecture": {
        ("cyclegan",): "cycle cycle-gan unpaired unit",
        ("fastgan",): "lightweight lightweight-gan",
        ("pix2pix",): "unet u-net pix2pixhd paired",
        ("progan",): "pggan progressive progressive-gan",
        ("resnet",): "sngan sagan biggan",
        ("stylegan2",): "stylegan3 stylegan2-ada stylegan-ada sg2",
    },
    "critic": {("patch",): "patchgan patch-gan nlayer n-layers nlayerdiscriminator basic"},
    "loss": {
        ("bce",): "vanilla ns nsgan gan non-saturating nonsaturating ns-logistic logistic softplus standard "
        "original binary-cross-entropy cross-entropy bcewithlogits",
        ("bce-saturating", "bce"): "minimax mm mmgan zero-sum saturating",
        ("hinge",): "hinge-loss hinge-gan sagan biggan sngan",
        ("lsgan",): "ls ls-gan least-squares least-square leastsquares mse l2",
        ("r1",): "ns-r1 logistic-r1 ns-logistic-r1 nonsaturating-r1",
        ("relativistic",): "rgan rsgan rpgan relativistic-pairing",
        ("wgan",): "w wasserstein w-gan w1 emd earth-mover",
        ("wgan-gp",): "wgangp gp gradient-penalty wasserstein-gp",
    },
    "penalty": {
        ("interpolates",): "gp wgan-gp wgangp gradient-penalty gradient wasserstein wgan interpolated mixed",
        ("real",): "r1 r1-gp",
        ("fake",): "r2 r2-gp generated",
    },
    "penalty-norm": {
        ("one",): "1 one-centred one-centered two-sided 1-gp",
        ("one-sided",): "lp lipschitz",
        ("zero",): "0 zero-centred zero-centered 0-gp r1 r2",
    },
    "norm": {
        ("batch",): "bn batchnorm batch-norm",
        ("instance",): "in instancenorm instance-norm",
        ("layer",): "ln layernorm layer-norm group gn",
        ("spectral",): "sn spectralnorm spectral-norm",
    },
    "optimizer": {("adam",): "adamw", ("sgd",): "momentum"},
    "schedule": {("constant",): "none fixed", ("cosine",): "cos", ("linear",): "lambda polynomial"},
    "augmentation": {
        ("crop",): "random-crop translate",
        ("flip",): "mirror hflip xflip horizontal-flip",
        ("jitter",): "color colour color-jitter brightness",
    },
    "critic-augmentation": {("ada",): "adaptive stylegan2-ada", ("diffaugment",): "da diffaug diff-aug"},
    "metric": {
        ("density-coverage",): "density coverage dc",
        ("fid",): "frechet fd frechet-inception-distance",
        ("kid",): "mmd kernel-inception-distance",
        ("precision-recall",): "precision recall prdc improved-precision-recall",
    },
}
# What belongs to the component that such a word means, as flags.
BESIDE = {
    ("penalty", "r1"): "--penalty-norm zero",
    ("penalty", "r1-gp"): "--penalty-norm zero",
    ("penalty", "r2"): "--penalty-norm zero",
    ("penalty", "r2-gp"): "--penalty-norm zero",
    ("optimizer", "adamw"): "--weight-decay",
}


def similar_settings(name: str, known: Collection[str]) -> list[str]:
    """Names among those known that somebody may mean by `name`: at most three, the likeliest first.

    A word that other programs have for one comes first, then names that begin with it, then similar ones.
    """
    word = name.lower().replace("-", "_")
    return _similar(word, known, (names for names, words in SETTINGS.items() if word in words.split()), "_")


def similar_commands(name: str, known: Collection[str]) -> list[str]:
    """Commands among those known that somebody may mean by `name`: at most three, the likeliest first."""
    word = name.lower().replace("_", "-")
    return _similar(word, known, ((own,) for own, words in COMMANDS.items() if word in words.split()), "-")


def similar_components(kind: str, name: str, known: Collection[str]) -> list[str]:
    """Names of a kind of components that somebody may mean by `name`: at most three, the likeliest first."""
    word = name.lower().replace("_", "-")
    tables = [COMPONENTS.get(each, {}) for each in (kind, *["architecture"] * (kind == "critic"))]
    meant = (names for table in tables for names, words in table.items() if word in words.split())
    return [word] if word in known else _similar(word, known, meant, "-")


def _similar(word: str, known: Collection[str], synonyms: Iterable[tuple[str, ...]], joint: str) -> list[str]:
    found = [name for names in synonyms for name in names if name in known]
    found = found or [name for name in known if word and name.startswith(f"{word}{joint}")]
    return list(dict.fromkeys(found or get_close_matches(word, known, n=3)))[:3]
