"""Peak memory."""

import subprocess
import sys

import pytest
import torch

from asrkit.utils.memory import peak_memory

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="what Linux does with ru_maxrss")
def test_the_peak_of_a_parent_does_not_count():
    # Linux, man page of getrusage: resource usage is preserved across an execve.
    held = torch.ones(2**28)
    assert peak_memory(CPU) > 2**30
    code = "import torch; from asrkit.utils.memory import peak_memory; "
    code += "print(peak_memory(torch.device('cpu')))"
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    assert 2**26 < int(output) < 2**30
    del held
