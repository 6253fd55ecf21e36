# Plays the matches. Build context: the repository (executor/ and proto/ are read).
ARG BASE
FROM ${BASE}
# Empty, or a folder of wheels where the build has no way to a package index.
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
COPY executor /src/executor
COPY proto /src/proto
RUN sh /src/executor/install.sh executor && rm -rf /src
USER 10002:10002
EXPOSE 50051 8080
ENTRYPOINT ["/usr/local/bin/rl-arena-executor"]
