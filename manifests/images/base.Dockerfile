# Debian with Python and pip: the ground of the agents' and the executor's images.
# rootfs.tar is made by test/cluster/base.sh.
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
CMD ["/usr/bin/python3"]
