"""The sweep file for W&B, read as its agents read it."""

import json

import yaml

from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores
from experiments.sweeps.search_space import Range, Sweep
from experiments.sweeps.wandb_config import wandb_config
from experiments.sweeps.worker import Evaluation

LINE = "sweep --arch dcgan --loss bce,hinge --kimg 20 --seeds 2 --betas 0.0,0.9 --tags a,b --conditional"


def settings_of_an_agent(gans, config):
    """Of the command that an agent makes, with the last value of each parameter."""
    # Imported here: every process that collects tests would wait two seconds for it.
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    # What the server chooses and sends to an agent: one value for each parameter.
    chosen = {
        name: {"value": own["values"][-1] if "values" in own else own["value"]}
        for name, own in config["parameters"].items()
    }
    known = create_sweep_command_args({"args": chosen})
    program, *words = config["command"]
    flags = [flag for word in words for flag in known.get(word.strip("${}"), [word])]
    assert program == "gans"
    plan = gans(" ".join(flags), "--dry-run")
    assert plan.status == 0, plan
    return dict(line.split()[:2] for line in plan.out.splitlines() if line)


def test_an_agents_command_is_a_run_with_these_settings(gans):
    outcome = gans(f"{LINE} --data shapes --image-size 16 --set width=8,16 --wandb-config")
    assert outcome.status == 0, outcome
    config = yaml.safe_load(outcome.out)
    assert config["method"] == "grid" and config["parameters"]["seed"] == {"values": [0, 1]}
    values = settings_of_an_agent(gans, config)
    expected = {"loss": "hinge", "width": "16", "seed": "1", "optimizer.betas": "0,0.9", "tags": "a,b"}
    expected |= {"image_size": "16x16"}
    assert values.items() >= (expected | {"conditional": "yes", "kimg": "20", "track": "wandb"}).items()


def test_draws_are_log_uniform_and_end(gans):
    line = f"{LINE} --random 5 --log-uniform lr_critic=1e-5:1e-3 --metric fid --wandb-config"
    config = yaml.safe_load(gans(line).out)
    assert config["parameters"]["lr-critic"] == {
        "distribution": "log_uniform_values",
        "min": 1e-5,
        "max": 1e-3,
    }
    assert config["method"] == "random" and config["run_cap"] == 10
    assert config["metric"] == {"name": "metric/fid", "goal": "minimize"}


def test_ranges_of_other_scales_and_of_whole_numbers():
    ranges = {
        "lr_decay_from": Range(0.0, 0.5, is_log=False),
        "width": Range(8, 64, is_whole=True),
        "arch.hidden_layers": Range(1, 4, is_log=False, is_whole=True),
    }
    found = wandb_config(Sweep({}, [0], ranges, 3), None, None, Evaluation(count=0))["parameters"]
    assert found["lr-decay-from"] == {"distribution": "uniform", "min": 0.0, "max": 0.5}
    assert found["width"] == {"distribution": "q_log_uniform_values", "min": 8, "max": 64, "q": 1}
    assert found["arch.hidden_layers"] == {"distribution": "int_uniform", "min": 1, "max": 4}


def test_numbers_reach_agents_whole_and_regularizers_by_name(gans):
    line = LINE.replace("hinge", "lsgan").replace("0.0,0.9", "0.1234567,0.9")
    outcome = gans(f"{line} --label-smoothing 0.81234567 --wandb-config --json")
    values = settings_of_an_agent(gans, json.loads(outcome.out))
    expected = {"regularizers": "label-smoothing=0.81234567", "optimizer.betas": "0.1234567,0.9"}
    assert values.items() >= expected.items()


def test_an_agent_reads_the_config_file_too(gans, tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"arch": "mlp", "data": "ring8", "kimg": 3, "width": 12, "track": ["local"]}))
    outcome = gans("sweep --wandb-config --json --set batch_size=8,16 --config", file)
    values = settings_of_an_agent(gans, json.loads(outcome.out))
    expected = {"arch": "mlp", "kimg": "3", "width": "12", "batch_size": "16", "track": "local"}
    assert values.items() >= expected.items()


def test_an_agent_turns_off_what_the_sweep_does(gans, tmp_path):
    """An empty list is a value, and so is no."""
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"arch": "dcgan", "data": "shapes", "conditional": True}))
    line = "sweep --no-conditional --loss wgan-gp --penalty none --wandb-config --json --config"
    values = settings_of_an_agent(gans, json.loads(gans(line, file).out))
    assert values["conditional"] == "no" and values["penalty"] == "–"


def test_agents_score_members_at_their_end_as_the_sweep_does(gans):
    asked = "--evaluate-metrics fid,kid --evaluate-samples 50 --extractor random-vgg --set kid.subset_size=50"
    config = yaml.safe_load(gans(f"{LINE} {asked} --wandb-config").out)
    values = settings_of_an_agent(gans, config)
    expected = {"evaluate_metrics": "fid,kid", "evaluate_samples": "50", "extractor": "random-vgg"}
    assert values.items() >= expected.items() and float(values["evaluate_kimg"]) > 1e6
    by_distance = yaml.safe_load(gans(f"{LINE} {asked} --metric fid --wandb-config").out)
    assert by_distance["metric"]["name"] == "metric/fd-random-vgg"
    on_the_way = yaml.safe_load(gans(f"{LINE} {asked} --evaluate-kimg 5 --wandb-config").out)
    assert on_the_way["parameters"]["evaluate-kimg"] == {"value": 5.0}
    assert on_the_way["parameters"]["evaluate-metrics"] == {"value": "fid,kid"}
    not_at_all = yaml.safe_load(gans(f"{LINE} --no-evaluate --wandb-config").out)
    assert "evaluate-kimg" not in not_at_all["parameters"]


def test_a_run_of_an_agent_is_scored_once(gans, here, tmp_path):
    points = "--arch mlp --data ring8 --batch-size 16 --width 8 --evaluate-samples 50 --steps 6 --track local"
    config = yaml.safe_load(gans(f"sweep {points} --seeds 1 --wandb-config").out)
    own = {
        name: each.get("value", each.get("values", [None])[-1]) for name, each in config["parameters"].items()
    }
    flags = " ".join(f"--{name}={value}" for name, value in own.items())
    assert gans(f"run {flags} --out", tmp_path / "agent").status == 0
    assert gans(f"sweep {points} --seeds 1 --jobs 1 --out", tmp_path / "sweep").status == 0
    agent, member = (read_evaluation_scores(RunFolder(tmp_path / name)) for name in ("agent", "sweep/seed-0"))
    assert agent == member and len(agent) == 1
