# The front with the libraries it needs and nothing else.
# Build context: the file tree that test/cluster/closure.sh lays out.
FROM scratch
COPY root/ /
ENV PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 10004:10004
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/api-server"]
