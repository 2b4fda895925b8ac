ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# python-ldap is compiled. Debian's archive has one version of each package, and no other to pin.
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends gcc libc6-dev libldap2-dev libsasl2-dev \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/build.lock deploy/ldap.lock deploy/requirements.lock ./
# Another index, a proxy, a certificate: `--secret id=pip,src=pip.conf`. It stays in no layer.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv --without-pip /opt/syncd \
    && python3 -m venv --without-pip /opt/build \
    && python3 -m pip --python /opt/syncd/bin/python3 install --require-hashes -r requirements.lock \
    && python3 -m pip --python /opt/build/bin/python3 install --require-hashes -r build.lock \
    && python3 -m pip --python /opt/build/bin/python3 wheel --require-hashes --no-build-isolation -r ldap.lock -w /ldap
COPY pyproject.toml ./
COPY syncd syncd
# Nothing is fetched any more: what builds the wheel is locked, too.
RUN /opt/build/bin/hatchling build -t wheel -d /wheel \
    && python3 -m pip --python /opt/syncd/bin/python3 install --no-cache-dir --no-index --no-deps /ldap/*.whl /wheel/*.whl \
    && /opt/syncd/bin/syncd --version

FROM ${BASE}
LABEL org.opencontainers.image.title="syncd" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="Keep the mobile offline profile memberships in Dataverse as HR and the directory say." \
      org.opencontainers.image.documentation="deploy/README.md"
# What python-ldap calls: OpenLDAP's library, whose package has another name in each release of
# Debian, where the system's authorities are, and Kerberos.
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends '^libldap(-2.5-0|2)$' libldap-common libsasl2-modules-gssapi-mit \
    && rm -rf /var/lib/apt/lists/*
# The number lets an orchestrator see that it is not root.
RUN groupadd --gid 10001 syncd \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/syncd --shell /usr/sbin/nologin syncd \
    && install -d -m 0755 /etc/syncd \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/syncd
COPY --from=build /opt/syncd /opt/syncd
ENV PATH=/opt/syncd/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SYNCD_CONFIG=/etc/syncd/syncd.toml \
    TMPDIR=/var/lib/syncd
USER 10001:10001
WORKDIR /var/lib/syncd
# The one place that is written, also under --read-only: a SQLite state database, and what a large
# run lays aside for a while.
VOLUME ["/var/lib/syncd"]
EXPOSE 8090
STOPSIGNAL SIGTERM
# Without a shell, and past any proxy. The port is that of SYNCD_ADMIN__LISTEN, 8090 without it.
HEALTHCHECK --interval=20s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-Ic", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('SYNCD_ADMIN__LISTEN', ':8090').rpartition(':')[2]), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["syncd"]
CMD ["daemon"]
