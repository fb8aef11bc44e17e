#!/usr/bin/env bash
# A dictionary on the command line for a structured config field that is null.
#
# Versions: hydra-core 1.3.8, omegaconf 2.3.1 (Python 3.11).
#
# Expected (written before the first run): window={size: 3} replaces the null of
# `window: Optional[Window] = None` by Window(size=3), as OmegaConf.merge does with the
# same dictionary; or, if a null cannot be overridden like this, an error of OmegaConf's
# or Hydra's own that says so.
#
# Behaviour: OmegaConf.merge fills it; the command line fails with Python's own
# AttributeError, about an internal None. It is neither a HydraException nor an
# OmegaConfBaseException, which a program could catch as the user's mistake.
#
# Seen:
#   OmegaConf.merge: App(window=Window(size=3))
#   AttributeError: 'NoneType' object has no attribute 'get'
#       full_key: window
#       reference_type=Optional[Window]
#       object_type=NoneType
#   exit status: 1
#
# Reported for OmegaConf alone as omry/omegaconf issue 1360 (closed). With OmegaConf 2.4.0
# it works, but hydra-core 1.3.8, the last release, requires one below 2.4.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet hydra-core==1.3.8 omegaconf==2.3.1

cat > "$work/app.py" <<'PY'
from dataclasses import dataclass

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf


@dataclass
class Window:
    size: int = 1


@dataclass
class App:
    window: Window | None = None


merged = OmegaConf.merge(OmegaConf.structured(App), {"window": {"size": 3}})
print("OmegaConf.merge:", OmegaConf.to_object(merged))
ConfigStore.instance().store(name="app", node=App)


@hydra.main(version_base="1.3", config_path=None, config_name="app")
def main(config):
    print("command line:", OmegaConf.to_object(config))


main()
PY

cd "$work"
status=0
"$work/venv/bin/python" -I app.py 'window={size: 3}' hydra.run.dir=. \
    hydra.output_subdir=null >out 2>err || status=$?
cat out
tail -n 4 err
echo "exit status: $status"

grep -q "OmegaConf.merge: App(window=Window(size=3))" out
grep -q "AttributeError: 'NoneType' object has no attribute 'get'" err
[ "$status" -ne 0 ]
