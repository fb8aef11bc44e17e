"""asrkit.transducer as others use it: names, arguments, errors, torch alone."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from asrkit import transducer

ROOT = Path(__file__).resolve().parents[3]
ABSENT = ("hydra", "k2", "kaldialign", "lhotse", "matplotlib", "omegaconf", "rich")
ABSENT += ("sentencepiece", "soundfile", "tensorboard", "torchaudio", "triton", "yaml")

SHARED = {
    "blank_id": 0, "topology": transducer.Topology.REGULAR, "reduction": "sum",
    "delay_penalty": 0.0, "fastemit": 0.0, "hat": False, "impossible": "zero",
    "backend": "auto",
}  # fmt: skip
SAMPLED = {name: SHARED[name] for name in SHARED if name != "blank_id"}
BATCH = ["tokens", "enc_lens", "token_lens"]
LENS = BATCH[1:]
PROJECTED = ["enc_proj", "pred_proj", "weight", "bias", *BATCH]
NEEDED = inspect.Parameter.empty

SIGNATURES = {
    "lattice": (
        ["blank_log_probs", "label_log_probs", *LENS],
        {"topology": SHARED["topology"]},
    ),
    "transducer_loss": (["logits", *BATCH], SHARED),
    "simple_loss": (
        ["am", "lm", *BATCH],
        {"am_scale": 0.0, "lm_scale": 0.0, "return_occupation": False, **SHARED},
    ),
    "prune_ranges": (
        ["blank_occupation", "label_occupation", *LENS],
        {"s_range": NEEDED, "topology": SHARED["topology"]},
    ),
    "gather_ranges": (["pred", "ranges"], {}),
    "pruned_loss": (["logits", "tokens", "ranges", *LENS], SHARED),
    "sample_vocabulary": (
        ["tokens", "token_lens", "vocab_size", "num_samples"],
        {"scope": "batch", "proposal": None, "generator": None},
    ),
    "sampled_loss": (
        PROJECTED,
        {"vocabulary": NEEDED, "log_q_correction": False, **SAMPLED},
    ),
    "sample_wise_loss": (PROJECTED, SHARED),
    "fused_loss": (PROJECTED, SHARED),
    "viterbi_align": (
        ["blank_log_probs", "label_log_probs", *LENS],
        {"topology": SHARED["topology"]},
    ),
}


def examples():
    """Return the Python of docs/losses.md, one block after the other."""
    text = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.M))


@pytest.mark.parametrize("name", SIGNATURES)
def test_names_and_arguments_stay(name):
    positional, keywords = SIGNATURES[name]
    found = inspect.signature(getattr(transducer, name)).parameters
    kinds = inspect.Parameter
    assert [
        n for n, p in found.items() if p.kind is kinds.POSITIONAL_OR_KEYWORD
    ] == positional
    for keyword, default in keywords.items():
        assert found[keyword].kind is kinds.KEYWORD_ONLY
        assert found[keyword].default == default


def test_all_names_are_there():
    assert set(SIGNATURES) <= set(transducer.__all__)
    assert not [name for name in transducer.__all__ if not hasattr(transducer, name)]
    # No module hides a function of the same name.
    assert callable(transducer.lattice)


def test_the_documentations_examples_run_with_torch_alone():
    block = f"""
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(name + " is not installed", name=name)

sys.meta_path.insert(0, Block())
"""
    code = block + examples()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_function_has_an_example():
    functions = [
        n for n in transducer.__all__ if inspect.isfunction(getattr(transducer, n))
    ]
    assert len(functions) > 10
    assert [n for n in functions if not re.search(rf"\b{n}\(", examples())] == []


def arguments(name):
    """Return good arguments of a function."""
    B, T, U, V, J = 2, 5, 3, 6, 4
    ranges = torch.arange(2).expand(B, T, 2) + torch.tensor([0, 0, 1, 2, 2])[:, None]
    vocabulary = transducer.sample_vocabulary(
        torch.full((B, U), 2), torch.tensor([3, 1]), V, 2
    )
    every = {
        "tokens": torch.full((B, U), 2),
        "enc_lens": torch.tensor([5, 2]),
        "token_lens": torch.tensor([3, 1]),
        "logits": torch.randn(B, T, 2 if name == "pruned_loss" else U + 1, V),
        "am": torch.randn(B, T, V),
        "lm": torch.randn(B, U + 1, V),
        "ranges": ranges,
        "s_range": 2,
        "pred": torch.randn(B, U + 1, J),
        "enc_proj": torch.randn(B, T, J),
        "pred_proj": torch.randn(B, U + 1, J),
        "weight": torch.randn(V, J),
        "bias": torch.randn(V),
        "vocab_size": V,
        "num_samples": 2,
        "vocabulary": vocabulary,
    }
    for kind in ("log_probs", "occupation"):
        every[f"blank_{kind}"] = torch.rand(B, T, U + 1)
        every[f"label_{kind}"] = torch.rand(B, T, U)
    positional, keywords = SIGNATURES[name]
    needed = [*positional, *(k for k, default in keywords.items() if default is NEEDED)]
    return {key: every[key] for key in needed}


BAD = {
    "enc_lens": [torch.tensor([6, 2]), torch.tensor([5, 2]).int(), torch.tensor([5])],
    "token_lens": [torch.tensor([4, 1]), torch.tensor([-1, 1])],
    "tokens": [torch.full((2, 3), 6), torch.zeros(2, 3, dtype=torch.int64)],
    "ranges": [torch.full((2, 5, 2), 4)],
    "s_range": [1],
    "topology": ["rna"],
}
CASES = [
    (name, argument, value)
    for name, (positional, keywords) in SIGNATURES.items()
    for argument, values in BAD.items()
    if argument in (*positional, *keywords)
    for value in values
]


@pytest.mark.parametrize(("name", "argument", "value"), CASES)
def test_bad_arguments_are_named(name, argument, value):
    function, good = getattr(transducer, name), arguments(name)
    function(**good)
    message = "rna" if argument == "topology" else argument
    with pytest.raises(ValueError, match=message):
        function(**{**good, argument: value})


@pytest.mark.parametrize("name", SIGNATURES)
def test_tensors_on_several_devices_are_named(name):
    good = arguments(name)
    last = "ranges" if name == "gather_ranges" else "token_lens"
    with pytest.raises(ValueError, match=f"{last} on meta"):
        getattr(transducer, name)(**{**good, last: good[last].to("meta")})
