# Makes asrkit importable and sets PYTHON, the interpreter to call. Source it in bash:
#
#     ASRKIT_EXTRAS=demo,plot . scripts/env.sh
#
# A python3 that already has this checkout installed is used as it is. Otherwise .venv is
# made in the repository; it is brought up to date when pyproject.toml or the extras have
# changed, and made anew when an installation was broken off, when the checkout was
# moved, or when its Python is another one now. Works in bash 3.2, which macOS has.

asrkit_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
asrkit_extras="${ASRKIT_EXTRAS:-demo,plot}" # what pip installs besides asrkit's needs

asrkit_error() {
    printf 'error: %s\n' "$@" >&2
}

# asrkit_has PYTHON MODULE...: is this checkout installed there, and are the modules?
asrkit_has() {
    # From /, since Python would also import asrkit from the current folder.
    (cd / && "$1" -c '
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
try:
    distribution("asrkit")
    found = Path(find_spec("asrkit").origin).resolve().parents[1]
    modules = [find_spec(module) for module in sys.argv[2:]]
except Exception:
    sys.exit(1)
sys.exit(str(found) != sys.argv[1] or None in modules)
' "$asrkit_root" "${@:2}" 2>/dev/null)
}

# Is PYTHON that of .venv?
asrkit_is_venv() {
    "$PYTHON" -c 'import os, sys
sys.exit(os.path.realpath(sys.prefix) != sys.argv[1])' "$asrkit_root/.venv"
}

# Use PYTHON as it is, or say what it lacks.
asrkit_use() {
    case ",$asrkit_extras," in
    *,dev,*)
        asrkit_has "$PYTHON" pytest ruff mypy importlinter && return 0
        asrkit_error "$PYTHON has asrkit but not the tools that check it; run" \
            "  '$PYTHON' -m pip install -e '$asrkit_root[dev]'"
        return 1
        ;;
    esac
}

# Print the newest Python that can make a virtual environment.
asrkit_find_python() {
    local name found unfit=""
    for name in python3.13 python3.12 python3.11 python3.10 python3 python; do
        # Called, not only looked up: pyenv puts names on PATH that lead nowhere. Printed
        # is the installation behind a virtual environment, which may be our own .venv.
        found="$("$name" -c '
import sys
if not (3, 10) <= sys.version_info < (3, 14):
    sys.exit(1)
print(sys._base_executable)
' 2>/dev/null)" || continue
        if "$found" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s\n' "$found"
            return 0
        fi
        unfit="${unfit:-$name}"
    done
    if [ -n "$unfit" ]; then
        asrkit_error "$unfit cannot make a virtual environment: it lacks ensurepip." \
            "  On Debian and Ubuntu the package python3-venv has it. Or get a Python" \
            "  of your own, as below, and run this again."
    else
        asrkit_error "asrkit needs Python 3.10, 3.11, 3.12 or 3.13, and none was found."
    fi
    printf '%s\n' "  With uv:    uv python install 3.12" \
        "  With conda: conda create -n asrkit python=3.12 && conda activate asrkit" >&2
    return 1
}

# asrkit_make_venv FOLDER STAMP
asrkit_make_venv() {
    local base
    base="$(asrkit_find_python)" || return 1
    rm -rf "$1" && mkdir "$1" && echo installing >"$2" && "$base" -m venv "$1"
}

# asrkit_install LOG: PYTHON gets this checkout, editable, with its extras.
asrkit_install() {
    local start=$SECONDS
    # PIP_USER: where a user's pip.conf asks for --user, pip refuses a virtual environment.
    if (cd "$asrkit_root" && PIP_USER=0 "$PYTHON" -m pip install --no-input \
        --disable-pip-version-check --editable ".[$asrkit_extras]") >"$1" 2>&1; then
        echo "set up in $((SECONDS - start)) seconds"
        return 0
    fi
    tail -n 15 "$1" >&2
    asrkit_error "installing asrkit failed; the whole log is $1" \
        "  Mend what it names and run this again."
    return 1
}

# Make .venv fit and set PYTHON to its interpreter.
asrkit_venv() {
    local venv="$asrkit_root/.venv" stamp version state="" made checksum
    stamp="$venv/asrkit-stamp"
    PYTHON="$venv/bin/python"
    if [ -e "$venv" ] && [ ! -e "$stamp" ]; then
        # Not made here, so it is not ours to change.
        asrkit_has "$PYTHON" torch && asrkit_use && return 0
        asrkit_error "$venv was not made by this script and lacks asrkit." \
            "  Remove it, or install into it: pip install -e '.[$asrkit_extras]'"
        return 1
    fi
    [ -e "$stamp" ] && state="$(cat "$stamp")"
    case "$state" in *" dev") asrkit_extras=dev ;; esac # dev has the others in it
    version="$("$PYTHON" -c 'import sys; print(*sys.version_info[:2], sep=".")' \
        2>/dev/null)" || version="none"
    made="made by $version in $asrkit_root"
    checksum="$(cksum <"$asrkit_root/pyproject.toml")"
    [ "$state" = "$made with $checksum $asrkit_extras" ] && return 0
    case "$state" in
    "$made with "*) echo "bringing .venv up to date (log: $venv/install.log)" ;;
    *)
        echo "setting up .venv: a few minutes, 6 GB (log: $venv/install.log)"
        asrkit_make_venv "$venv" "$stamp" || return 1
        version="$("$PYTHON" -c 'import sys; print(*sys.version_info[:2], sep=".")')"
        made="made by $version in $asrkit_root"
        ;;
    esac
    echo installing >"$stamp"
    asrkit_install "$venv/install.log" || return 1
    echo "$made with $checksum $asrkit_extras" >"$stamp"
}

asrkit_env() {
    PYTHON="$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)" || PYTHON=""
    # .venv may be the active environment, and stale all the same.
    if [ -n "$PYTHON" ] && asrkit_has "$PYTHON" torch && ! asrkit_is_venv; then
        asrkit_use || return 1
    else
        asrkit_venv || return 1
    fi
    export PYTHON
}

asrkit_env || return 1
