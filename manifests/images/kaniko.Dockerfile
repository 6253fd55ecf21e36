# Kaniko, laid out as its own project does: the executor and its certificates
# below /kaniko, which is left out of the images it makes; /workspace for the
# context. It runs as root, since it unpacks whole file systems.
FROM scratch
COPY root/ /
ENV HOME=/root USER=root PATH=/usr/local/bin:/kaniko SSL_CERT_DIR=/kaniko/ssl/certs DOCKER_CONFIG=/kaniko/.docker/
WORKDIR /workspace
ENTRYPOINT ["/kaniko/executor"]
