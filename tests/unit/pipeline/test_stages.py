"""Stages: what each sees of the configuration, their order, and what they freeze."""

from dataclasses import replace

import pytest
import torch

from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.losses.mwer import MwerLossConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.runner import check_order, why_left_out
from asrkit.pipeline.saved_config import read_config
from asrkit.pipeline.snapshot import differences
from asrkit.pipeline.stage import OnlyIfConfig
from asrkit.pipeline.stages.align_report import find_suspicious
from asrkit.pipeline.stages.nbest import Risk, risks
from asrkit.pipeline.stages.results import result_folder
from asrkit.pipeline.stages.train import check_data, check_scalars
from asrkit.pipeline.tasks.asr_task import freeze_parameters
from asrkit.text.phone import PhoneTokenizer
from asrkit.text.tokenizer import SPECIAL_PIECES
from asrkit.training.until import UntilConfig
from asrkit.utils.errors import InputError
from asrkit.utils.plain import to_plain
from tests.unit.pipeline.compose import make as compose
from tests.unit.pipeline.memory.test_auto import stage_run


def make(*overrides):
    return compose("pipeline=frame_wise", *overrides)


def training(config):
    return [for_stage(config, name) for name in config.pipeline.training()]


def seen(config, name):
    plain = to_plain(for_stage(config, name))
    return config.pipeline.stages[name].matters(plain)


@pytest.fixture(scope="module")
def config():
    return make("num_updates=1000")


def test_the_stages_share_the_length_of_a_run(config):
    lengths = [view.num_updates for view in training(config)]
    assert sum(lengths) == 1000
    by_epochs = training(make("num_epochs=20"))
    assert sum(view.num_epochs for view in by_epochs) == pytest.approx(20.0)
    assert all(view.num_updates is None for view in by_epochs)


def test_one_choice_of_the_loss_holds_for_the_full_sum():
    config = make("loss=pruned", "loss.s_range=7")
    assert for_stage(config, "full_sum").loss.s_range == 7
    weights = {"ctc": 1.0, "inter_ctc": 0.3, "timing": 1.0}
    assert for_stage(config, "ctc").loss.weights == weights


def test_a_stage_sees_its_own_settings():
    own = "pipeline.stages.ctc.set"
    config = make(
        f"+encoder@{own}.encoder=conformer_2m", f"{own}.data.max_duration=77",
        f"{own}.trainer.accumulate=3", f"{own}.trainer.clip_norm=0",
        f"{own}.predictor.dropout=0.25", "encoder=conformer_10m",
    )  # fmt: skip
    ctc, viterbi = for_stage(config, "ctc"), for_stage(config, "viterbi")
    assert isinstance(ctc.encoder, ConformerConfig)
    assert ctc.encoder.dim < viterbi.encoder.dim == config.encoder.dim
    assert (ctc.data.max_duration, viterbi.data.max_duration) == (77, 600)
    assert (ctc.trainer.accumulate, ctc.trainer.clip_norm) == (3, 0)
    assert (ctc.predictor.dropout, viterbi.predictor.dropout) == (0.25, 0.1)
    assert ctc.loss == config.pipeline.stages["ctc"].set["loss"] != config.loss
    assert ctc.pipeline.order == ["ctc"]
    # Alignments are of the audio as it is.
    assert ctc.augment.wave.speeds == [0.9, 1.0, 1.1]
    assert viterbi.augment.wave.speeds == [1.0]
    assert (ctc.augment.spec.time_warp, viterbi.augment.spec.time_warp) == (80, 0)
    # Stored copies of other speeds have alignments of their own.
    stored = for_stage(make("data.stored_features=true"), "viterbi").augment
    assert stored.wave.speeds == [0.9, 1.0, 1.1]


def test_what_a_checkpoint_carries_comes_back(config):
    for name in config.pipeline.order:
        view = for_stage(config, name)
        assert read_config(to_plain(view)) == view


@pytest.mark.parametrize(
    ("override", "touched"),
    [
        ("pipeline.stages.mbr.set.num_epochs=3", {"mbr"}),
        ("pipeline.stages.mbr.set.optim.lr=3", {"mbr"}),
        ("pipeline.stages.align.by=CTC", {"align"}),
        ("optim.lr=0.5", {"ctc", "viterbi", "full_sum", "mbr"}),
        ("loss.topology=REGULAR", {"full_sum", "mbr"}),
        ("loss.weights.ctc=0.1", {"full_sum"}),
    ],
)  # fmt: skip
def test_a_change_touches_the_stages_that_depend_on_it(config, override, touched):
    other = make("num_updates=1000", override)
    changed = {
        name
        for name in config.pipeline.order
        if differences(seen(config, name), seen(other, name))
    }
    assert changed == touched


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mbr.set.data.max_durration=3", "DataConfig.*Did you mean 'max_duration'"),
        ("mbr.set.optim.lr=fast", "mbr.set.optim.lr=fast: a number is wanted there"),
        ("mbr.set.trainer.accumulate=0", "set.trainer: trainer.accumulate must be at"),
        ("mbr.set.data.train=[a]", "data.train is the same in all stages of a run"),
        ("align.set.tokenizer.name=x", "tokenizer is the same in all stages"),
        ("mbr.set.optm.lr=3", r"set.optm \(Config\): .*Did you mean 'optim'"),
        ("mbr.set={data.max_duration: 3}", "no 'data.max_duration' here"),
    ],
)  # fmt: skip
def test_what_a_stage_cannot_set_is_named(override, message):
    config = make(f"pipeline.stages.{override}")
    with pytest.raises(InputError, match=f"^pipeline.*{message}"):
        for_stage(config, override.partition(".")[0])


def test_a_component_in_place_of_shared_and_other_keys_is_refused():
    config = make("+data@pipeline.stages.mbr.set.data=default")
    with pytest.raises(InputError, match=r"data\.manifests is the same in all"):
        for_stage(config, "mbr")


def test_a_view_is_the_configuration_of_a_run_of_the_stage_alone(config):
    for name in config.pipeline.order:
        view = for_stage(config, name)
        assert view.pipeline.stages[name].set == {}
        assert for_stage(view, name) == view


def test_a_stage_comes_after_what_it_needs(config, tmp_path):
    check_order(config, tmp_path)
    config = make("pipeline.order=[ctc,viterbi]")
    with pytest.raises(InputError, match="stage viterbi takes what stage 'align' leav"):
        check_order(config, tmp_path)
    (tmp_path / "align").mkdir()
    (tmp_path / "align" / "done").touch()
    check_order(config, tmp_path)
    alone = make(
        "pipeline.order=[full_sum]", "pipeline.stages.full_sum.init.stage=null",
        "pipeline.stages.full_sum.init.path=x.pt",
    )  # fmt: skip
    check_order(alone, tmp_path)


def test_pieces_need_an_alignment():
    with pytest.raises(ValueError, match="need alignments"):
        make("pipeline.stages.viterbi.alignments=null")


@pytest.mark.parametrize("stage", ["viterbi", "mbr"])
def test_a_loss_without_the_data_it_needs_is_refused(tmp_path, stage):
    run = stage_run(tmp_path, stage, "pipeline=frame_wise")
    check_data(run)
    without = replace(run.stage, alignments=None, nbest=None, chunks=None)
    run = replace(run, stage=without)
    with pytest.raises(InputError, match=f"loss={stage} trains on (alignm|nbest)"):
        check_data(run)
    check_data(replace(run, config=replace(run.config, loss=MwerLossConfig())))


@pytest.mark.parametrize(
    ("stage", "scalar", "message"),
    [
        ("ctc", "labels_moved", None),
        ("ctc", "lables_moved", "until.scalar: no 'lables_moved' .* 'labels_moved'"),
        ("mbr", "labels_moved", "no 'labels_moved' here. There are: "),
        ("mbr", "expected_risk_per_token", None),
        ("ctc", "expected_risk_per_token", "There are: labels_moved, loss_per_frame"),
    ],
)
def test_a_stage_goes_by_what_validation_finds(tmp_path, stage, scalar, message):
    run = stage_run(tmp_path, stage, "pipeline=frame_wise")
    until = UntilConfig(scalar=scalar, below=0.1)
    run = replace(run, stage=replace(run.stage, until=until))
    if message is None:
        check_scalars(run)
        return
    with pytest.raises(InputError, match=message):
        check_scalars(run)


def test_the_best_checkpoint_is_not_picked_by_what_moves(tmp_path):
    run = stage_run(tmp_path, "ctc", "pipeline=frame_wise")
    run = replace(run, stage=replace(run.stage, select="labels_moved"))
    with pytest.raises(InputError, match="select: no 'labels_moved' here"):
        check_scalars(run)


def test_only_weights_that_come_from_somewhere_are_a_candidate(config):
    stages = config.pipeline.stages
    guarded = [n for n in config.pipeline.training() if stages[n].never_worse]
    assert guarded == ["mbr"]
    with pytest.raises(ValueError, match="never_worse: the stage begins with random"):
        replace(stages["ctc"], never_worse=True)


def test_a_stage_goes_by_one_that_has_an_error_rate(config):
    pipeline = config.pipeline
    for other in (
        {"full_sum": replace(pipeline.stages["full_sum"], select="loss_per_token")},
        {"mbr": replace(pipeline.stages["mbr"], only_if=OnlyIfConfig(stage="nbest"))},
    ):
        with pytest.raises(ValueError, match=r"only_if.stage: .* without an "):
            replace(pipeline, stages=pipeline.stages | other)


@pytest.mark.parametrize(
    ("overrides", "scalar"), [([], "wer"), (["decode.unit=CHARACTER"], "cer")]
)
def test_what_a_stage_goes_by_was_run(tmp_path, overrides, scalar):
    alone = make(
        "pipeline.order=[nbest]", "pipeline.stages.nbest.source=./x.pt",
    )  # fmt: skip
    with pytest.raises(InputError, match=r"nbest\.only_if\.stage=null"):
        check_order(alone, tmp_path)
    # It is done, but was not selected by its error rate.
    run = stage_run(tmp_path, "nbest", "pipeline=frame_wise", *overrides)
    done = run.exp_dir / "full_sum" / "done"
    done.parent.mkdir(exist_ok=True)
    done.write_text('{"loss_per_token": 0.5}')
    with pytest.raises(InputError, match=r"ended without one: set .*only_if\.stage"):
        why_left_out(run)
    for rate, left_out in ((30.0, False), (30.1, True)):
        done.write_text(f'{{"{scalar}": {rate}}}')
        assert (why_left_out(run) is not None) == left_out
    assert f"best dev {scalar} 30.1" in why_left_out(run)


def test_the_best_checkpoint_is_picked_by_the_unit_of_the_run():
    def picked(*overrides):
        return compose(*overrides).pipeline.stages["train"].select

    assert picked() == "wer"
    assert picked("decode.unit=CHARACTER") == "cer"
    assert picked("decode.unit=MIXED", "decode=beam_search") == "mer"
    own = "pipeline.stages.train.select=loss_per_token"
    assert picked("decode.unit=CHARACTER", own) == "loss_per_token"
    other = compose(
        "decode.unit=MIXED", "+decode@pipeline.stages.train.set.decode=beam_search"
    )
    assert for_stage(other, "train").decode.unit is ErrorUnit.MIXED
    assert for_stage(other, "train").decode.name == "beam_search"
    with pytest.raises(InputError, match=r"decode\.unit is the same in all stages"):
        for_stage(compose("+pipeline.stages.train.set.decode.unit=MIXED"), "train")


def test_results_are_a_stage_or_a_folder(tmp_path):
    assert (
        result_folder(tmp_path, "align", "alignments") == tmp_path / "align/alignments"
    )
    assert str(result_folder(tmp_path, "./mine", "alignments")) == "mine"


def test_parameters_are_frozen_by_name_or_pattern():
    encoder = ConformerConfig(
        num_layers=2, dim=8, num_heads=2, ff_dim=8, kernel_size=3, dropout=0.1,
        subsampling_channels=2,
    )  # fmt: skip
    model = torch.nn.ModuleDict({"encoder": encoder.build(8)})
    freeze_parameters(model, ["encoder.blocks.1", "*norm.weight"])
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {
        name
        for name, _ in model.named_parameters()
        if name.startswith("encoder.blocks.1.") or name.endswith("norm.weight")
    }
    assert any(name.startswith("encoder.blocks.0") for name in frozen)
    with pytest.raises(InputError, match="no parameter is called 'joiner'"):
        freeze_parameters(model, ["joiner"])


def test_risks_are_counted_in_tokens_words_or_phones():
    pieces = [*SPECIAL_PIECES, "A", "A#", "B", "B#"]
    tokenizer = PhoneTokenizer(pieces, b"AB A B\nA A\nB B\n")
    a, a_end, b_end = 3, 4, 6
    row = [[a, b_end], [a_end, b_end]]  # "AB" and "A B"
    assert risks(row, Risk.TOKEN, tokenizer, ErrorUnit.WORD) == [0, 1]
    assert risks(row, Risk.WORD, tokenizer, ErrorUnit.WORD) == [0, 2]
    assert risks(row, Risk.WORD, tokenizer, ErrorUnit.CHARACTER) == [0, 0]
    assert risks(row, Risk.PHONE, tokenizer, ErrorUnit.WORD) == [0, 0]


def test_a_score_far_below_the_others_is_suspicious():
    torch.manual_seed(0)
    scores = (-0.5 + 0.05 * torch.randn(200)).tolist()
    rows = [
        {"id": str(i), "num_frames": 100, "score": 100 * s}
        for i, s in enumerate(scores)
    ]
    rows[17]["score"] = -300.0
    assert find_suspicious(rows)[0] == ("17", -3.0)
    assert len(find_suspicious(rows)) < 4
    assert find_suspicious([]) == []


def test_every_training_stage_has_its_criterion(config):
    losses = [for_stage(config, name).loss for name in config.pipeline.training()]
    assert [type(loss).__name__ for loss in losses] == [
        "CtcLossConfig", "ViterbiLossConfig", "FusedLossConfig", "MbrLossConfig",
    ]  # fmt: skip


def test_a_stage_may_have_an_optimizer_and_a_schedule_of_its_own():
    own = "pipeline.stages.viterbi.set"
    config = make(f"+optim@{own}.optim=nadam", f"schedule@{own}.schedule=triangle")
    viterbi, ctc = for_stage(config, "viterbi"), for_stage(config, "ctc")
    assert type(viterbi.optim).__name__ == "NAdamConfig"
    assert type(ctc.optim).__name__ == "AdamWConfig"
    assert type(viterbi.schedule).__name__ == "TriangleConfig"
