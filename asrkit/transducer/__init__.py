"""Transducer losses, lattices and alignments as functions of tensors.

Needs torch alone; docs/losses.md has an example of each function, docs/conventions.md
the letters of the shapes.
"""

from asrkit.transducer.align import BestPaths, viterbi_align
from asrkit.transducer.backends import Backend
from asrkit.transducer.checks import trusted
from asrkit.transducer.frame_wise import focal_loss, frame_wise_loss
from asrkit.transducer.full import transducer_loss
from asrkit.transducer.fused import fused_loss
from asrkit.transducer.lattices.aligned_band import AlignedBand, aligned_band
from asrkit.transducer.lattices.lattice import Lattice, lattice
from asrkit.transducer.nbest_mbr import MbrLoss, nbest_mbr_loss
from asrkit.transducer.pruned import gather_ranges, prune_ranges, pruned_loss
from asrkit.transducer.rules import Impossible, Reduction, Topology
from asrkit.transducer.sample_wise import sample_wise_loss
from asrkit.transducer.sampled import sampled_loss
from asrkit.transducer.sampling import Scope, Vocabulary, sample_vocabulary
from asrkit.transducer.simple import simple_loss

__all__ = [
    "AlignedBand",
    "Backend",
    "BestPaths",
    "Impossible",
    "Lattice",
    "MbrLoss",
    "Reduction",
    "Scope",
    "Topology",
    "Vocabulary",
    "aligned_band",
    "focal_loss",
    "frame_wise_loss",
    "fused_loss",
    "gather_ranges",
    "lattice",
    "nbest_mbr_loss",
    "prune_ranges",
    "pruned_loss",
    "sample_vocabulary",
    "sample_wise_loss",
    "sampled_loss",
    "simple_loss",
    "transducer_loss",
    "trusted",
    "viterbi_align",
]
