# PostgreSQL for the front of the embedded cluster, from Debian's packages (test/cluster/debs.sh brings
# them to /debs). They are unpacked, not configured: their scripts would make a database of their own.
ARG BASE
FROM ${BASE}
RUN dpkg --unpack --force-depends --no-triggers --path-exclude='/usr/share/doc/*' --path-exclude='/usr/share/man/*' \
        --path-exclude='/usr/share/locale/*' --path-exclude='/usr/lib/postgresql/15/lib/bitcode/*' /debs/*.deb \
    && ldconfig \
    && ! ldd /usr/lib/postgresql/15/bin/* /usr/lib/postgresql/15/lib/*.so | grep 'not found' | grep -v LLVM \
    && echo 'postgres:x:10003:10003:PostgreSQL:/var/lib/postgresql:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'postgres:x:10003:' >>/etc/group \
    && install -d -o 10003 -g 10003 -m 0700 /var/lib/postgresql
COPY postgres.sh /usr/local/bin/postgres.sh
USER 10003:10003
EXPOSE 5432
# Ends what is open at once, writes all of it down and goes.
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/postgres.sh"]
