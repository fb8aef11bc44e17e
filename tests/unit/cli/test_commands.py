"""Commands by name: what is answered without torch is what torch would give."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from asrkit.cli.commands import COMMANDS
from asrkit.cli.compose import CONF_DIR
from asrkit.config import register

ROOT = Path(__file__).resolve().parents[3]

# Runs command lines, a line each, and says which of them needed torch.
LIGHT = """
import sys
from asrkit.cli import commands
for line in sys.stdin:
    sys.argv = ["asrkit", *line.split()]
    status = "not answered"
    try:
        name = sys.argv[1]
        sys.argv[:2] = [f"asrkit {name}"]
        if commands._is_answered(f"asrkit.cli.{commands.COMMANDS[name][0]}"):
            status = "answered"
    except SystemExit as end:
        status = f"exit {end.code}"
    except Exception as error:
        status = f"{type(error).__name__}: {error}"
    print("==", line.strip(), "->", status, "torch" in sys.modules, flush=True)
import numpy, torch
assert torch.ones(2).sum() == 2 and numpy.ones(2).sum() == 2
"""


def light(*lines):
    """Answer command lines in a process without torch: what was printed, by line."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT],
        input="\n".join(lines), cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers, text = {}, ""
    for line in done.stdout.splitlines(keepends=True):
        if line.startswith("== "):
            command, status = line[3:].strip().split(" -> ")
            answers[command] = (status, text)
            text = ""
        else:
            text += line
    return answers


def test_help_needs_no_torch():
    answers = light(*(f"{name} --help" for name in COMMANDS))
    assert len(answers) == len(COMMANDS)
    for command, (status, text) in answers.items():
        name = command.split()[0]
        assert status in ("exit 0 False", "answered False"), command
        assert text.startswith(f"usage: asrkit {name}"), command


def test_mistakes_need_no_torch():
    answers = light(
        "train loss.hatt=1", "train loss=ctcc", "train optim.lr=much",
        "train --cfg job loss=pruned", "transcribe x.wav", "train loss=pruned",
        "train data.train=[]",
    )  # fmt: skip
    assert answers["train loss.hatt=1"][0].startswith("InputError: loss.hatt (Fused")
    assert "Did you mean 'ctc'?" in answers["train loss=ctcc"][0]
    assert answers["train optim.lr=much"][0].startswith("InputError: optim.lr: Value")
    assert answers["transcribe x.wav"][0] == "exit 2 False"
    # What is right goes on to the command, which brings torch.
    assert answers["train loss=pruned"][0] == "not answered False"
    status, text = answers["train --cfg job loss=pruned"]
    assert status == "answered False"
    register()
    with initialize_config_dir(str(CONF_DIR), version_base=None):
        expected = OmegaConf.to_yaml(compose("config", ["loss=pruned"]))
    assert text.strip() == expected.strip()


@pytest.mark.slow
def test_no_choice_is_refused_for_want_of_torch():
    choices = [
        f"train {group.name}={path.stem}"
        for group in CONF_DIR.iterdir()
        if group.is_dir() and group.name not in ("hydra", "stage")
        for path in group.glob("*.yaml")
    ]
    answers = light(*choices)
    assert len(answers) == len(choices) > 40
    wrong = {c: a for c, a in answers.items() if a[0] != "not answered False"}
    assert wrong == {}


def test_nothing_stands_in_beside_packages_that_are_loaded():
    program = (
        "import sys, torch; before = set(sys.modules); from asrkit.cli import commands;"
        "sys.argv = ['x', 'num_updates=0'];"
        "assert not commands._is_answered('asrkit.cli.training.train');"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "assert not new & commands.PACKAGES, new"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
