#!/usr/bin/env bash
# Feast's Go server, which is neither on PyPI nor on the Go module proxy, from a checkout of github.com/feast-dev/feast. Needs Go 1.25
# or newer and Python, whose grpcio-tools has the protoc that generates Feast's Go messages.
#
#     git clone --depth 1 --branch v0.66.0 https://github.com/feast-dev/feast /tmp/feast/source
#     bench/peers/feast/build-go.sh /tmp/feast/source /tmp/feast/feast-go
set -euo pipefail
usage='usage: build-go.sh CHECKOUT PROGRAM'
checkout=${1:?$usage}
program=$(realpath -m "${2:?$usage}")
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet grpcio-tools==1.85.1
GOBIN="$tools" go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
GOBIN="$tools" go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.3.0

cd "$checkout"
mkdir -p go/protos
for folder in core registry serving types storage; do
  PATH="$tools:$PATH" "$tools/venv/bin/python" -m grpc_tools.protoc --proto_path=protos \
    --go_out=go/protos --go_opt=module=github.com/feast-dev/feast/go/protos \
    --go-grpc_out=go/protos --go-grpc_opt=module=github.com/feast-dev/feast/go/protos \
    protos/feast/"$folder"/*.proto
done
go build -o "$program" ./go/main.go
