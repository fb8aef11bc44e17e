"""Names that stand in for packages."""

import sys
from abc import ABC
from importlib import import_module

import pytest

from asrkit.cli import placeholders as module
from asrkit.cli.placeholders import placeholders


@pytest.fixture
def package(monkeypatch):
    """Stand in for a package that does not exist."""
    monkeypatch.setattr(module, "PACKAGES", {"no_such_package"})


def test_what_modules_do_at_import(package):
    with placeholders():
        import no_such_package.nn.functional as F
        from no_such_package import Tensor, iinfo, inference_mode, nn

        class Net(nn.Module, ABC):
            @inference_mode()
            def forward(self, x: "Tensor | None" = None) -> list[Tensor]:
                return [x]

        @nn.plain
        def double(x: Tensor | None) -> int:
            return 2 * x

        assert Net().forward(3) == [3]
        assert double(4) == 8
        assert F.relu is not None
        assert iinfo(nn.int64).max is not None
        # What only the package knows is not made up.
        with pytest.raises(TypeError, match="is_available is a placeholder"):
            bool(nn.is_available())
    assert not [name for name in sys.modules if name.startswith("no_such_package")]
    with pytest.raises(ImportError):
        import_module("no_such_package")


def test_what_is_loaded_stays(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "no_such_package", sys)
    with placeholders():
        import no_such_package
    assert no_such_package is sys
    assert sys.modules["no_such_package"] is sys
