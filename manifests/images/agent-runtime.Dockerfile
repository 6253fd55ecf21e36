# What an agent's image is built on: serves proto/agent.proto and loads /agent/agent.py.
# Build context: the repository (executor/ and proto/ are read).
ARG BASE
FROM ${BASE}
# Empty, or a folder of wheels where the build has no way to a package index.
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
COPY executor /src/executor
COPY proto /src/proto
RUN python3 -m pip install --no-cache-dir -r /src/executor/requirements-agent.txt \
    && sh /src/executor/install.sh runtime \
    && rm -rf /src \
    && mkdir -p /agent
WORKDIR /agent
USER 10001:10001
EXPOSE 50051
ENTRYPOINT ["/usr/local/bin/rl-arena-agent"]
