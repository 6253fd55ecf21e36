#!/bin/sh
# Lays out one image's part of the package under a prefix, dependencies included.
# Usage: install.sh executor|runtime [prefix, default /opt/rl-arena]
#   prefix/lib  the package rl_arena and what it needs, apart from the interpreter's own site-packages,
#               so that an author's requirements.txt can neither break nor replace it
#   prefix/bin  rl-arena-executor or rl-arena-agent, linked into /usr/local/bin
set -eu
role=$1
prefix=${2:-/opt/rl-arena}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
case $role in
  executor) command=rl-arena-executor ;;
  runtime) command=rl-arena-agent ;;
  *) echo "install.sh: first argument is executor or runtime, not '$role'" >&2; exit 2 ;;
esac

mkdir -p "$prefix/lib" "$prefix/bin"
"$python" -m pip install --quiet --no-cache-dir --no-compile --target "$prefix/lib" -r "$here/requirements-$role.txt"

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"$python" -m pip install --quiet --no-cache-dir --target "$tools" -r "$here/requirements-build.txt"
mkdir -p "$prefix/lib/rl_arena"
cp "$here/rl_arena/__init__.py" "$prefix/lib/rl_arena/"
cp -R "$here/rl_arena/proto" "$here/rl_arena/$role" "$prefix/lib/rl_arena/"
PYTHON=$python PYTHONPATH=$tools sh "$here/gen.sh" "$prefix/lib"
find "$prefix/lib" -name __pycache__ -prune -exec rm -rf {} +
"$python" -m compileall -q "$prefix/lib"

cp "$here/bin/$command" "$prefix/bin/$command"
chmod 0755 "$prefix/bin/$command"
# Only an image has the commands on its path; another prefix is somebody trying things out.
if [ "$prefix" = /opt/rl-arena ]; then
  ln -sf "$prefix/bin/$command" "/usr/local/bin/$command"
fi
