# Trivy, the scanner. Build context: root/ with the program, CA certificates and a /tmp.
FROM scratch
COPY root/ /
ENV PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/trivy"]
