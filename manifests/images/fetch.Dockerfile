# The fetch program with the libraries it needs and nothing else.
# Build context: the file tree that test/cluster/closure.sh lays out.
FROM scratch
COPY root/ /
ENV PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/fetch"]
