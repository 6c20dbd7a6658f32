# syntax=docker/dockerfile:1.7
# The app, its command line and SDK, with torch for the CPU. `docker build --build-arg EXTRAS=code,office,ui .` leaves the dense
# model and torch out (a gigabyte): lexical search alone, or vectors from an endpoint (PHIDEX_EMBED__MODEL=endpoint).

FROM python:3.12.12-slim-bookworm AS build
ARG EXTRAS=code,dense,office,server,ui,video
WORKDIR /source
RUN python -m venv /opt/phidex
COPY constraints.txt .
# From PyTorch's index of CPU builds: the default build brings gigabytes of CUDA.
RUN --mount=type=cache,target=/root/.cache/pip \
    case ",${EXTRAS}," in *,dense,*) \
        /opt/phidex/bin/pip install --constraint constraints.txt --index-url https://download.pytorch.org/whl/cpu torch ;; \
    esac
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/phidex/bin/pip install --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.12.12-slim-bookworm
# Debian keeps no old versions, so that pinned ones would stop building.
# hadolint ignore=DL3008
RUN --mount=type=bind,source=setup/system.py,target=/tmp/system.py \
    apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && python /tmp/system.py \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /cache --shell /usr/sbin/nologin phidex \
    && install --directory --owner phidex --group phidex /data /cache
COPY --from=build /opt/phidex /opt/phidex
# Written to are /data, /cache and /tmp alone, so that the root file system can be read-only.
ENV PATH=/opt/phidex/bin:$PATH \
    HOME=/cache \
    HF_HOME=/cache/huggingface \
    PHIDEX_DATA=/data \
    PHIDEX_CACHE=/cache/phidex \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
EXPOSE 8501 8100
CMD ["phidex", "ui", "--address", "0.0.0.0"]
