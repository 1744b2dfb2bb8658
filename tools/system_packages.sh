#!/bin/sh
# Name the Debian packages that are missing, in one line, or install them when root. Argument: the Python to be used.
set -eu
PATH=$PATH:/usr/sbin:/sbin     # ldconfig is there, and not on the path of an ordinary user
python=${1:-python3}
missing=
need() { missing="$missing $1"; }
library() { ldconfig -p 2>/dev/null | grep -q "$1" || need "$2"; }

if ! command -v "$python" >/dev/null || ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "Python 3.11 is needed: on Debian 12 'apt-get install python3 python3-venv python3-dev', elsewhere set PYTHON=/path/to/python3.11" >&2
    exit 1
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
"$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || need python3-dev
command -v gcc >/dev/null || need gcc
command -v g++ >/dev/null || need g++
library libEGL.so.1 libegl1                  # headless rendering
library libGL.so.1 libgl1                    # OpenCV and rendering
library libgthread-2.0.so.0 libglib2.0-0     # OpenCV
ls /usr/lib/*/dri/swrast_dri.so >/dev/null 2>&1 || ldconfig -p 2>/dev/null | grep -q libgallium || need libgl1-mesa-dri
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
else
    echo "missing system packages:$missing   (sudo apt-get install$missing)" >&2
    exit 1
fi
