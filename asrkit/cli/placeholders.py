"""Reads a command line without torch.

The config classes stand beside the networks that they configure, so that their modules
import torch, which takes seconds. To show help, to compose a configuration or to find a
wrong key, nothing of torch is needed but names: here are names that stand in for it.
"""

import sys
import types
from abc import ABCMeta
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any, NoReturn

PACKAGES = {
    "fsspec", "kaldialign", "lhotse", "numpy", "rich", "sentencepiece", "soundfile",
    "tensorboard", "torch",
}  # fmt: skip


@contextmanager
def placeholders() -> Iterator[None]:
    """Let names of `PACKAGES` stand in for them; forget what was made of these names.

    None of them may be loaded yet.
    """
    before = set(sys.modules)
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in PACKAGES | {"asrkit"}:
                del sys.modules[name]


class _Named(ABCMeta):
    """Makes classes, so that others can be derived from a placeholder."""

    def __getattr__(cls, name: str) -> type:
        return _placeholder(name)

    def __or__(cls, other: object) -> Any:
        return object

    __ror__ = __or__

    def __getitem__(cls, item: object) -> type:
        return cls

    def __bool__(cls) -> NoReturn:
        """Refuse to answer what only the package can."""
        raise TypeError(f"{cls.__name__} is a placeholder")


class _Placeholder(metaclass=_Named):
    """Of a class, a function, a decorator, a constant, and of what they return."""

    def __new__(cls, *args: Any, **_: Any) -> Any:
        # A decorator gives back what it is put on.
        return args[0] if len(args) == 1 and callable(args[0]) else super().__new__(cls)

    def __init__(self, *args: Any, **_: Any) -> None:
        pass

    def __init_subclass__(cls, **_: Any) -> None:
        pass

    def __call__(self, *args: Any, **_: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) else self

    def __getattr__(self, name: str) -> Any:
        return _missing(name) if name.startswith("__") else self

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is a placeholder")


def _placeholder(name: str) -> type:
    return (
        _missing(name) if name.startswith("__") else _Named(name, (_Placeholder,), {})
    )


def _missing(name: str) -> NoReturn:
    # Whoever asks for __wrapped__ and the like takes a yes at its word.
    raise AttributeError(name)


class _Module(types.ModuleType):
    __path__: MutableSequence[str] = []  # noqa: RUF012 - never changed

    def __getattr__(self, name: str) -> type:
        return _placeholder(name)


class _Finder(MetaPathFinder, Loader):
    """Finds every module of `PACKAGES`."""

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> ModuleSpec | None:
        """Answer for the packages alone."""
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """Make a module that has every name."""
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill it with nothing."""
