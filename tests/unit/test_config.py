"""Every YAML composes, builds and survives a checkpoint; mistakes are named."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from asrkit.cli.decoding.decode import methods
from asrkit.cli.hydra_errors import explain
from asrkit.cli.overrides import apply_overrides
from asrkit.config import register
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.search import SearchConfig
from asrkit.losses.transducer import TransducerLossConfig
from asrkit.models.encoder import EncoderConfig
from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.config import Config
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.saved_config import read_config
from asrkit.pipeline.snapshot import differences
from asrkit.utils.errors import InputError
from asrkit.utils.plain import to_plain
from asrkit.utils.training_progress import TrainingProgress

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {
    group: sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))
    for group in COMPONENTS
}
CHOICES = [
    f"{group}={name}"
    for group, names in GROUPS.items()
    if group != "stage"
    for name in names
]
EXPERIMENTS = [
    *(
        (path.parents[2].name, path.stem)
        for path in sorted(ROOT.glob("recipes/*/conf/experiment/*.yaml"))
    ),
    *(("librispeech", p.stem) for p in sorted(ROOT.glob("conf/experiment/*.yaml"))),
]


register()


def make(*overrides, recipe="librispeech"):
    search = f"hydra.searchpath=[file://{ROOT}/recipes/{recipe}/conf]"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_object(compose("config", [search, *overrides]))
    assert isinstance(config, Config)
    return config


@pytest.mark.parametrize("choice", CHOICES)
def test_every_file_composes_and_survives_a_checkpoint(choice):
    extra = ["tokenizer.lexicon=lexicon.txt"] if choice == "tokenizer=phone" else []
    config = make(choice, *extra)
    assert read_config(to_plain(config)) == config


@pytest.mark.parametrize(("recipe", "experiment"), EXPERIMENTS)
def test_every_experiment_builds(recipe, experiment):
    phones = experiment in ("zhou2022_librispeech", "switchboard_phone")
    extra = ["tokenizer.lexicon=lexicon.txt"] if phones else []
    chosen = f"experiment={experiment}"
    config = make(chosen, "encoder.num_layers=1", *extra, recipe=recipe)
    for name in config.pipeline.training():
        stage = for_stage(config, name)
        model = stage.model.build(config.features.num_bins, vocab_size=20)
        stage.optim.build(model)
        used = {"encoder", "timing_head"}
        used |= {"ctc_head"} if stage.loss.weights.get("ctc") else set()
        if stage.loss.weights.get("transducer"):
            used |= {"predictor", "joiner"}
        assert stage.loss.build(model).modules_used == used
    assert read_config(to_plain(config)) == config
    for tokenizer in ("char", "phone"):  # can be chosen whatever the experiment says
        make(chosen, f"tokenizer={tokenizer}", recipe=recipe)


def test_the_zhou2022_stages_have_the_published_learning_rates():
    config = make("experiment=zhou2022_bpe")
    stages = {name: for_stage(config, name) for name in config.pipeline.training()}
    rates = {
        name: [
            stage.optim.lr * stage.schedule.factor(TrainingProgress(share))
            for share in (0.0, 0.45, 0.9, 1.0)
        ]
        for name, stage in stages.items()
        if name != "ctc"
    }
    assert rates == {
        "viterbi": pytest.approx([8e-5, 8e-4, 8e-5, 1e-6]),
        "full_sum": pytest.approx([8e-5, 8e-5, 1e-5, 1e-6]),
        "mbr": pytest.approx([1e-5] * 4),
    }


def test_pruned_librispeech_has_the_published_setting():
    config = make("experiment=pruned_librispeech", "encoder.num_layers=1")
    model = config.model.build(config.features.num_bins, vocab_size=500)
    stage = for_stage(config, "train")
    optimizer = stage.optim.build(model)
    optimizer.load_state_dict(optimizer.state_dict())
    # After 10 of 50 epochs at three speeds each, and 8640 updates.
    decay = (1 + (8640 / 7500) ** 2) * (1 + (10 / 3.5) ** 2)
    factor = stage.schedule.factor(TrainingProgress(0.2, 8640, 30.0))
    assert optimizer.param_groups[0]["lr"] * factor == pytest.approx(
        0.045 * decay**-0.25
    )
    criterion = stage.loss.build(model).criteria["transducer"]
    scales = [
        criterion.scales.at(TrainingProgress(0.0, n)) for n in (0, 1000, 2000, 9000)
    ]
    assert scales == [(1.0, 0.1), (0.75, 0.55), (0.5, 1.0), (0.5, 1.0)]
    assert read_config(to_plain(config)) == config


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("2m", 1.5, 2.5), ("10m", 9, 12), ("30m", 27, 34), ("80m", 75, 86),
     ("120m", 112, 126)],
)  # fmt: skip
def test_presets_have_about_the_size_of_their_name(name, low, high):
    config = make(f"encoder=conformer_{name}")
    size = sum(p.numel() for p in config.model.build(80, 500).parameters()) / 1e6
    assert low < size - 0.5 * (name == "2m") < high


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss=ful", "Did you mean 'full'?"),
        ("loss=prund", "Did you mean 'pruned'?"),
        ("loss.bakend=TORCH", "loss.bakend (FusedLossConfig)"),
        ("loss.bakend=TORCH", "Did you mean 'backend'?"),
        ("pipeline.stages.train.num_epochs=1", "Did you mean 'set.num_epochs'?"),
        ("encodr=conformer_2m", "Did you mean 'encoder'?"),
        ("optim.lr=fast", "optim.lr"),
        ("loss.backend=cuda", "TORCHAUDIO"),
        ("loss.backend=K2", "loss.backend=K2 computes loss=full only"),
        ("loss.topology=RNA", "MONOTONIC"),
        ("loss.hat=true", "loss.hat (FusedLossConfig): no 'hat' here"),
        ("loss.fastemit=-1", "loss.fastemit must be at least 0, got -1"),
        ("predictor.context_size=5", "predictor.context_size must be 1 or 2"),
        ("loss.weights={transduser: 1}", "loss.weights.transduser"),
        ("pipeline.order=[ctc]", "pipeline.order names 'ctc'"),
    ],
)
def test_a_mistake_is_explained(override, message):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Hydra has many
        make(override)
    assert message in (explain(caught.value) or str(caught.value))


def test_an_error_that_is_no_mistake_is_not_explained():
    assert explain(RuntimeError("out of memory")) is None


def test_overrides_of_a_checkpoint_choose_and_set():
    config = apply_overrides(make(), ["decode.max_symbols=3", "data.max_utterances=5"])
    assert config.decode.max_symbols == 3
    assert config.data.max_utterances == 5
    config = apply_overrides(config, ["decode=ctc_greedy"])
    assert config.decode.name == "ctc_greedy"
    config = apply_overrides(config, ["decode.unit=CHARACTER", "decode=beam_search"])
    assert config.decode.unit is ErrorUnit.CHARACTER  # whichever search it is
    for wrong, message in (
        ("decod=greedy", "Did you mean 'decode'?"),
        ("decode=gredy", "Did you mean 'greedy'?"),
        ("decode.max_symbol=3", "Did you mean"),
        ("decode", "not of the form key=value"),
    ):
        with pytest.raises(InputError, match=message):
            apply_overrides(make(), [wrong])


def test_differences_name_dotted_keys():
    old, new = (to_plain(make(*o)) for o in ([], ["optim.lr=0.5", "seed=1"]))
    changed = differences(old, new)
    assert changed["optim.lr"] == (0.001, 0.5)
    assert changed["seed"] == (42, 1)
    assert len(changed) == 2


@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("pipeline", ["single", "progressive", "frame_wise"])
def test_a_saved_loss_with_hat_is_read_as_a_joiner_with_it(pipeline, hat):
    config = make(f"pipeline={pipeline}", f"joiner.hat={hat}", "loss=pruned")
    for name in config.pipeline.training():
        stage = for_stage(config, name)
        plain = to_plain(stage)
        del plain["joiner"]["hat"]
        losses = [plain["loss"], dict(plain["loss"])]  # a stage had a loss of its own
        plain["pipeline"]["stages"][name]["loss"] = losses[1]
        for loss in losses:
            if loss and loss["class"] not in ("CtcLossConfig", "ViterbiLossConfig"):
                loss["hat"] = hat
        knew = any("hat" in loss for loss in losses if loss)
        found = read_config(plain)
        assert found == (stage if knew else replace(stage, joiner=found.joiner))
        assert found.joiner.hat is (hat and knew)


def test_a_config_of_another_version_is_refused():
    with pytest.raises(InputError, match="names 'GoneConfig'"):
        read_config({"class": "GoneConfig"})
    with pytest.raises(InputError, match="gone"):
        read_config({"class": "GreedyConfig", "gone": 1})


@pytest.mark.parametrize("group", ["loss", "decode"])
def test_losses_and_searches_are_called_as_their_files(group):
    assert sorted(cls.name for cls in COMPONENTS[group]) == GROUPS[group]
    if group == "decode":
        assert methods() == GROUPS[group]
        for name in methods():
            assert apply_overrides(make(), [f"decode={name}"]).decode.name == name


def test_a_loss_or_search_that_does_not_answer_is_refused():
    @dataclass(kw_only=True)
    class SilentLossConfig(TransducerLossConfig):
        def transducer(self, model):
            return None

    with pytest.raises(TypeError, match="lattice_numbers"):
        SilentLossConfig()
    with pytest.raises(TypeError, match="subsampling"):
        EncoderConfig()
    with pytest.raises(TypeError, match="build"):
        SearchConfig()


def test_every_field_of_every_config_is_documented():
    import ast

    for cls in itertools.chain(*COMPONENTS.values()):
        source = Path(__import__(cls.__module__, fromlist=["x"]).__file__).read_text()
        tree = ast.parse(source)
        body = next(
            n
            for n in tree.body
            if isinstance(n, ast.ClassDef) and n.name == cls.__name__
        ).body
        for node, after in itertools.pairwise([*body, None]):
            if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node):
                documented = isinstance(after, ast.Expr) and isinstance(
                    after.value, ast.Constant
                )
                assert documented, f"{cls.__name__}.{node.target.id}"
