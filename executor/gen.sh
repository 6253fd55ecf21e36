#!/bin/sh
# Makes rl_arena/proto/*_pb2*.py from ../proto. The generated code is not kept in the tree.
# Usage: gen.sh [directory that holds the package rl_arena; default: beside this script]
# Needs grpcio-tools (requirements-build.txt) in the interpreter named by PYTHON.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
protos=${PROTO_DIR:-$here/../proto}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
# The files are compiled under the package's path, so that the generated imports are absolute.
mkdir -p "$stage/rl_arena/proto" "$out/rl_arena/proto"
cp "$protos/executor.proto" "$protos/agent.proto" "$stage/rl_arena/proto/"
"${PYTHON:-python3}" -m grpc_tools.protoc -I "$stage" \
  --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" \
  rl_arena/proto/executor.proto rl_arena/proto/agent.proto
