# One image for every llamalog process; the command says which: `llamalog consumer`, `llamalog migration-consumer`, …
# The base has the Python and the Debian release that the checks run with; that of the build a C compiler, too.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG BUILD_IMAGE=python:3.11-bookworm

FROM ${BUILD_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# The locks come before the sources, so that a change of code does not fetch the dependencies again.
# The environment has no pip of its own: nothing can be installed into it later.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv --without-pip /opt/llamalog \
    && python -m pip install --quiet --require-hashes -r requirements/build.txt \
    && python -m pip --python /opt/llamalog/bin/python install --quiet --require-hashes --only-binary :all: \
        -r requirements/runtime.txt

COPY migrations migrations
COPY schemas schemas
COPY service service
RUN LLAMALOG_KERNELS=required python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels ./schemas ./service \
    && python -m pip --python /opt/llamalog/bin/python install --quiet --no-deps --no-index wheels/*.whl \
    && python -m pip --python /opt/llamalog/bin/python check

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="llamalog" \
      org.opencontainers.image.description="Keeps the provenance log of a music catalogue" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /opt/llamalog /opt/llamalog
WORKDIR /srv/llamalog
COPY migrations migrations
# The root file system may be read-only: no byte code is written at run time, pip compiled it above.
ENV PATH=/opt/llamalog/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that an orchestrator can see without a passwd file that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
# No HEALTHCHECK: one image runs commands that end and consumers that answer on different ports;
# docker-compose.yml asks each consumer's /livez.
ENTRYPOINT ["llamalog"]
CMD ["--help"]
