"""Puts conf/ into a wheel, as asrkit/conf; all else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConf(build_py):
    """An editable install goes without: asrkit finds conf/ beside itself."""

    def run(self) -> None:
        """Copy the package, and conf/ into it."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "asrkit", "conf")
            shutil.copytree("conf", target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithConf})
