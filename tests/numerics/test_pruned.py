"""The pruned loss, its band and the simple loss against paths, the full loss and k2."""

import json

import numpy as np
import pytest
import torch

from asrkit.transducer.full import transducer_loss
from asrkit.transducer.fused import fused_loss
from asrkit.transducer.pruned import gather_ranges, prune_ranges, pruned_loss
from asrkit.transducer.rules import Topology
from asrkit.transducer.sample_wise import sample_wise_loss
from asrkit.transducer.simple import simple_loss
from tests.numerics.lattices import TOPOLOGIES, join, path_scores, projections, ragged


def draw_ranges(enc_lens, token_lens, T, U, s_range, topology):
    """Prune at random."""
    blank, label = torch.rand(len(enc_lens), T, U + 1), torch.rand(len(enc_lens), T, U)
    return prune_ranges(
        blank, label, enc_lens, token_lens, s_range=s_range, topology=topology
    )


def golden(shared, kind, penalty, name):
    path = shared / "golden" / "k2" / f"{kind}_dp{penalty}_{name}.npz"
    if not path.exists():
        pytest.skip("no such golden value")
    values = np.load(path)
    found = {k: torch.from_numpy(values[k]) for k in values if k != "meta"}
    meta = json.loads(bytes(values["meta"]))
    tokens = found["symbols"].long()
    B, T, _ = found["am"].shape
    lens = torch.full((B,), T), torch.full((B,), tokens.shape[1])
    if "boundary" in found:
        lens = found["boundary"][:, 3].long(), found["boundary"][:, 2].long()
    options = {
        "topology": {"modified": "monotonic"}.get(kind, kind),
        "blank_id": meta["blank"],
        "delay_penalty": float(penalty),
    }
    return found, meta, [tokens, *lens], options


CASES = pytest.mark.parametrize(
    ("kind", "penalty", "name"),
    [
        (kind, penalty, name)
        for kind in ("regular", "modified", "constrained")
        for penalty, name in (
            *(("0.0", n) for n in ("tiny", "small", "noboundary")),
            ("0.1", "tiny"),
            ("0.1", "noboundary"),
            ("0.125", "small"),
        )
    ],
)


def close(found, expected, penalty):
    # With a boundary k2 computes the penalty in float32.
    tolerance = {"rtol": 1e-6, "atol": 3e-6 if penalty == "0.1" else 1e-7}
    torch.testing.assert_close(found, expected.double(), **tolerance)


@CASES
def test_simple_loss_equals_k2(shared, kind, penalty, name):
    values, meta, batch, options = golden(shared, kind, penalty, name)
    for prefix, scales in (
        ("simple", {}),
        (
            "smoothed",
            {"lm_scale": meta["lm_only_scale"], "am_scale": meta["am_only_scale"]},
        ),
    ):
        if scales.get("am_scale") and "boundary" in values:
            continue  # k2's unigram counts padding, ours does not
        sides = [values[k].double().requires_grad_() for k in ("am", "lm")]
        loss, blank, label = simple_loss(
            *sides, *batch, **options, **scales, reduction="none",
            return_occupation=True,
        )  # fmt: skip
        (loss * values["w"].double()).sum().backward()
        close(loss.detach(), values[f"{prefix}/loss"], penalty)
        close(sides[0].grad, values[f"{prefix}/am_grad"], penalty)
        close(sides[1].grad, values[f"{prefix}/lm_grad"], penalty)
        T = label.shape[1]
        grad = values[f"{prefix}/px_grad"][..., :T].transpose(1, 2)
        close(label, grad, penalty)
        close(blank, values[f"{prefix}/py_grad"].transpose(1, 2), penalty)


@CASES
def test_ranges_and_pruned_loss_equal_k2(shared, kind, penalty, name):
    values, meta, batch, options = golden(shared, kind, penalty, name)
    if "ranges" not in values:
        pytest.skip("k2 computed no pruned loss here")
    tokens, enc_lens, token_lens = batch
    ranges = prune_ranges(
        values["simple/py_grad"].transpose(1, 2),
        values["simple/px_grad"][..., : values["am"].shape[1]].transpose(1, 2),
        enc_lens,
        token_lens,
        s_range=meta["s_range"],
        topology=options["topology"],
    )
    assert torch.equal(ranges, values["ranges"].long())
    am, lm = (values[k].double().requires_grad_() for k in ("am", "lm"))
    gathered = gather_ranges(lm, ranges)
    torch.testing.assert_close(gathered.detach(), values["lm_pruned"].double())
    for prefix, hat in (("pruned", False), ("hat", True)):
        if f"{prefix}/loss" not in values:
            continue
        logits = (2 * torch.tanh(am[:, :, None] + gathered)).detach().requires_grad_()
        losses = pruned_loss(
            logits, tokens, ranges, enc_lens, token_lens, reduction="none", hat=hat,
            **options,
        )  # fmt: skip
        (losses * values["w"].double()).sum().backward()
        close(losses.detach(), values[f"{prefix}/loss"], penalty)
        close(logits.grad, values[f"{prefix}/logits_grad"], penalty)


def test_ranges_equal_k2(shared):
    values = np.load(shared / "golden" / "k2" / "ranges.npz")
    checked = 0
    for case in sorted({key.split("/")[0] for key in values}):
        get = {k.split("/")[1]: torch.from_numpy(values[k]) for k in values if
               k.startswith(f"{case}/")}  # fmt: skip
        px, py = get["px_grad"], get["py_grad"]
        if float(get["robust_to"]) <= 0:  # a tie that rounding decides
            continue
        T = py.shape[2]
        topology = "regular" if px.shape[2] == T + 1 else "monotonic"
        found = prune_ranges(
            py.transpose(1, 2),
            px[..., :T].transpose(1, 2),
            get["boundary"][:, 3].long(),
            get["boundary"][:, 2].long(),
            s_range=int(get["s_range"]),
            topology=topology,
        )
        assert torch.equal(found, get["ranges"].long()), case
        checked += 1
    assert checked


def brute_force(logits, tokens, ranges, enc_lens, token_lens, topology):
    """Sum the paths inside a band: losses (B,), and gradients of the finite ones."""
    R = ranges.shape[2]
    losses, grads = [], []
    for b in range(len(logits)):
        frames, labels = int(enc_lens[b]), int(token_lens[b])
        own = logits[b].detach().clone().requires_grad_()
        log_probs = own.log_softmax(-1)
        blank = torch.full((frames, labels + 1 + R), -torch.inf, dtype=torch.float64)
        label = blank.clone()
        for t in range(frames):
            for r in range(R):
                u = int(ranges[b, t, r])
                if u <= labels:
                    blank[t, u] = log_probs[t, r, 0]
                if u < labels:
                    label[t, u] = log_probs[t, r, tokens[b, u]]
        first = ranges[b, :, 0].tolist()
        scores = path_scores(
            blank[:, : labels + 1], label[:, :labels], topology, first=first, R=R
        )
        loss = -scores.logsumexp(0)
        losses.append(loss.detach())
        grads.append(torch.zeros_like(own))
        if loss.isfinite():
            (grads[-1],) = torch.autograd.grad(loss, own)
    return torch.stack(losses), torch.stack(grads)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("s_range", [2, 3])
def test_pruned_loss_sums_the_paths_inside_the_band(topology, s_range):
    B, T, U, V = 12, 5, 3, 4
    _, tokens, enc_lens, token_lens = ragged(B, T, U, V, possible=True)
    ranges = draw_ranges(enc_lens, token_lens, T, U, s_range, topology)
    R = ranges.shape[2]
    logits = torch.randn(B, T, R, V, dtype=torch.float64).requires_grad_()
    losses = pruned_loss(
        logits, tokens, ranges, enc_lens, token_lens, topology=topology,
        reduction="none", impossible="inf",
    )  # fmt: skip
    torch.where(losses.isinf(), 0.0, losses).sum().backward()
    expected, grads = brute_force(
        logits, tokens, ranges, enc_lens, token_lens, topology
    )
    torch.testing.assert_close(losses.detach(), expected)
    torch.testing.assert_close(logits.grad, grads)


MONOTONE = pytest.mark.parametrize("topology", ["monotonic", "constrained"])
OPTIONS = [{}, {"hat": True}, {"delay_penalty": 0.1}, {"hat": True, "fastemit": 0.2}]


def band_losses(inputs, batch, s_range, topology, **options):
    """Return pruned losses from logits and from projections, by a random band."""
    enc, pred, *_ = inputs
    (tokens, *lens), T, U = batch, enc.shape[1], pred.shape[1] - 1
    ranges = draw_ranges(*lens, T, U, s_range, topology)

    def gathered(enc, pred, weight, bias):
        hidden = torch.tanh(enc[:, :, None] + gather_ranges(pred, ranges))
        logits = hidden @ weight.T + bias
        return pruned_loss(logits, tokens, ranges, *lens, topology=topology, **options)

    each = {**options, "ranges": ranges, "topology": topology}
    yield gathered
    yield lambda *x: sample_wise_loss(*x, *batch, max_cells=3, **each)
    yield lambda *x: fused_loss(*x, *batch, **each)


@MONOTONE
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("s_range", "V", "lens"),
    [
        (1, 2, [(1, 2)]),
        (2, 7, [(9, 6), (2, 5), (3, 3), (1, 4)]),
        (3, 7, [(4, 7), (9, 8), (8, 8), (1, 8), (7, 8)]),
        (5, 7, [(3, 4), (2, 4), (4, 4)]),
    ],
)
def test_more_labels_than_frames_are_no_path(topology, options, s_range, V, lens):
    enc_lens, token_lens = torch.tensor(lens).T
    T, U = int(enc_lens.max()), int(token_lens.max())
    inputs, (tokens, *_) = projections(len(lens), T, U, V)
    batch = [tokens, enc_lens, token_lens]
    exact = transducer_loss(
        join(*inputs), *batch, topology=topology, reduction="none", impossible="inf",
        **options,
    )  # fmt: skip
    impossible = enc_lens < token_lens
    assert torch.equal(exact.isinf(), impossible)
    for impossible_is, value in (("inf", torch.inf), ("zero", 0.0)):
        every = {"reduction": "none", "impossible": impossible_is, **options}
        for loss in band_losses(inputs, batch, s_range, topology, **every):
            leaves = [x.clone().requires_grad_() for x in inputs]
            found = loss(*leaves)
            assert (found[impossible] == value).all()
            # A band has some of the paths.
            assert found[~impossible].isfinite().all()
            if not options.get("delay_penalty"):
                assert (found > exact - 1e-9)[~impossible].all()
            found.backward(torch.ones_like(found))
            enc, pred, *output = (x.grad for x in leaves)
            assert not enc[impossible].any()
            assert not pred[impossible].any()
            assert all(x.isfinite().all() for x in (enc, pred, *output))
            if impossible.all():
                assert not any(x.any() for x in output)


@MONOTONE
@pytest.mark.parametrize("seed", range(20))
def test_any_band_has_the_sum_over_its_paths(topology, seed):
    torch.manual_seed(seed)
    B, T, U, V = 6, 4, 4, 3
    R = 1 + seed % 4
    _, tokens, enc_lens, token_lens = ragged(B, T, U, V)
    first = (torch.rand(B, T) < 0.5).long().cumsum(1)
    first = (first - first[:, :1]).clamp(max=U + 1 - R)
    ranges = first[..., None] + torch.arange(R)
    logits = torch.randn(B, T, R, V, dtype=torch.float64).requires_grad_()
    options = {"topology": topology, "reduction": "none", "impossible": "inf"}
    losses = pruned_loss(logits, tokens, ranges, enc_lens, token_lens, **options)
    expected, grads = brute_force(
        logits, tokens, ranges, enc_lens, token_lens, Topology(topology)
    )
    torch.testing.assert_close(losses.detach(), expected)
    losses.backward(torch.ones_like(losses))
    torch.testing.assert_close(logits.grad, grads)
    assert not logits.grad[expected.isinf()].any()


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_band_as_wide_as_the_transcript_prunes_nothing(topology):
    logits, tokens, enc_lens, token_lens = ragged(B=8, T=6, U=4)
    ranges = draw_ranges(enc_lens, token_lens, 6, 4, 5, topology)
    assert ranges.shape == (8, 6, 5)
    results = []
    for loss in (
        lambda z: transducer_loss(z, tokens, enc_lens, token_lens, topology=topology),
        lambda z: pruned_loss(
            z, tokens, ranges, enc_lens, token_lens, topology=topology
        ),
    ):
        z = logits.clone().requires_grad_()
        value = loss(z)
        value.backward()
        results.append((value.detach(), z.grad))
    torch.testing.assert_close(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])


@pytest.mark.parametrize("loss", [fused_loss, sample_wise_loss])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_losses_from_projections_run_in_the_band(loss, topology):
    inputs, batch = projections(B=5, T=6, U=4)
    ranges = draw_ranges(batch[1], batch[2], 6, 4, 2, topology)

    def gathered(enc, pred, weight, bias):
        hidden = torch.tanh(enc[:, :, None] + gather_ranges(pred, ranges))
        return pruned_loss(
            hidden @ weight.T + bias, batch[0], ranges, *batch[1:], topology=topology
        )

    results = []
    for run in (
        gathered,
        lambda *x: loss(*x, *batch, ranges=ranges, topology=topology),
    ):
        leaves = [x.clone().requires_grad_() for x in inputs]
        value = run(*leaves)
        value.backward()
        results.append([value.detach(), *(x.grad for x in leaves)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("hat", [False, True])
def test_simple_loss_is_the_loss_of_the_sum(topology, hat):
    _, *batch = ragged(B=5, T=6, U=4, V=7)
    options = {"topology": topology, "hat": hat, "fastemit": 0.3}
    results = []
    for simple in (True, False):
        torch.manual_seed(1)
        am = torch.randn(5, 6, 7, dtype=torch.float64, requires_grad=True)
        lm = torch.randn(5, 5, 7, dtype=torch.float64, requires_grad=True)
        loss = (
            simple_loss(am, lm, *batch, **options)
            if simple
            else transducer_loss(am[:, :, None] + lm[:, None], *batch, **options)
        )
        loss.backward()
        results.append([loss.detach(), am.grad, lm.grad])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_smoothing_with_hat_takes_distributions_with_hat():
    # Alone, each side is a joiner whose other side says nothing.
    _, *batch = ragged(B=5, T=6, U=4, V=7, possible=True)
    am, lm = torch.randn(5, 6, 7).double(), torch.randn(5, 5, 7).double()
    uniform = torch.zeros(5, 1, 7).double()
    for scales, (left, right) in (
        ({"lm_scale": 1.0}, (uniform.expand(-1, 6, -1), lm)),
        ({"am_scale": 1.0}, (am, uniform.expand(-1, 5, -1))),
    ):
        sides = (left, right) if "am_scale" in scales else (am, lm)
        found = simple_loss(*sides, *batch, hat=True, **scales)
        logits = left[:, :, None] + right[:, None]
        if "am_scale" in scales:
            # Its prior: blank 1/2, each of six labels 1/12.
            prior = torch.tensor([1 / 2] + [1 / 12] * 6).double().log()
            logits = logits + prior
        torch.testing.assert_close(found, transducer_loss(logits, *batch, hat=True))


def test_a_band_that_is_too_narrow_grows_and_says_so(caplog):
    enc_lens, token_lens = torch.tensor([2]), torch.tensor([7])
    ranges = draw_ranges(enc_lens, token_lens, 2, 7, 2, "regular")
    assert ranges.shape[2] == 5
    assert "s_range 2 is too narrow" in caplog.text
    logits = torch.randn(1, 2, 5, 4)
    tokens = torch.ones(1, 7, dtype=torch.int64)
    loss = pruned_loss(logits, tokens, ranges, enc_lens, token_lens, impossible="inf")
    assert loss.isfinite()


def test_bad_bands_are_named():
    logits, tokens, enc_lens, token_lens = ragged(B=2, T=5, U=3)
    with pytest.raises(ValueError, match="s_range is 1"):
        draw_ranges(enc_lens, token_lens, 5, 3, 1, "regular")
    ranges = torch.arange(2).expand(2, 5, 2) + 1
    with pytest.raises(ValueError, match="use prune_ranges"):
        pruned_loss(logits[:, :, :2], tokens, ranges, enc_lens, token_lens)
