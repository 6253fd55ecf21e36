# CoreDNS, the embedded cluster's name server. Build context: root/ with the program.
FROM scratch
COPY root/ /
ENV PATH=/usr/local/bin
EXPOSE 53/udp 53/tcp
ENTRYPOINT ["/usr/local/bin/coredns"]
