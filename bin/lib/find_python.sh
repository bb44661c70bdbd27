# Read by bin/demo and bin/test (POSIX sh): sets $root and $python, or ends with one sentence that says what to install.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
python=
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "bin/$(basename -- "$0"): Python 3.11 or newer is needed; install it (Debian 12 or newer: apt-get install python3 python3-venv, macOS: brew install python) or set PYTHON to one you have." >&2
    exit 2
fi
