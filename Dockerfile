# ComfyUI and the endpoint in one image; models and custom nodes are mounted.
ARG BASE_IMAGE=nvidia/cuda:13.0.3-base-ubuntu24.04
ARG NODE_IMAGE=node:24-bookworm-slim

# The handler in its pieces, and sharp beside it.
FROM ${NODE_IMAGE} AS handler
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY handler handler
COPY runtime runtime
COPY workflows workflows
RUN node handler/build.ts /app \
 && mkdir /app/node_modules \
 && cp -r node_modules/sharp node_modules/@img node_modules/detect-libc node_modules/semver /app/node_modules/

FROM ${BASE_IMAGE} AS runtime
ARG COMFYUI_VERSION=v0.33.0
ARG TORCH_CUDA=cu130
ARG TORCH_VERSION=2.11.0
ARG TORCHVISION_VERSION=0.26.0
ARG TORCHAUDIO_VERSION=2.11.0

RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates ffmpeg git libgl1 libglib2.0-0 libstdc++6 python3 python3-venv tini \
 && rm -rf /var/lib/apt/lists/*

# Torch's wheels bring CUDA's libraries, so the base image has none. The constraints keep what is installed later from changing them.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=/opt/constraints.txt
RUN python3 -m venv /opt/venv \
 && printf 'torch==%s\ntorchvision==%s\ntorchaudio==%s\n' \
      "${TORCH_VERSION}" "${TORCHVISION_VERSION}" "${TORCHAUDIO_VERSION}" > /opt/constraints.txt \
 && /opt/venv/bin/pip install --index-url "https://download.pytorch.org/whl/${TORCH_CUDA}" \
      "torch==${TORCH_VERSION}" "torchvision==${TORCHVISION_VERSION}" "torchaudio==${TORCHAUDIO_VERSION}"

WORKDIR /opt/ComfyUI
RUN git clone --depth 1 --branch "${COMFYUI_VERSION}" https://github.com/comfyanonymous/ComfyUI.git . \
 && rm -rf .git \
 && /opt/venv/bin/pip install -r requirements.txt

# A start without compiled files takes more than twice as long. The build fails if this ComfyUI does not start at all.
RUN /opt/venv/bin/python -m compileall -q -j 0 /opt/venv /opt/ComfyUI \
 && /opt/venv/bin/python main.py --quick-test-for-ci --cpu

# Code belongs to root. ComfyUI writes into its user folder; outputs go to memory when --shm-size leaves room, else to /tmp.
RUN groupadd --gid 10001 worker \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin worker \
 && install -d -o worker -g worker /data /data/input \
 && mkdir -p user && chown -R worker:worker user

COPY --from=handler /usr/local/bin/node /usr/local/bin/node
COPY --from=handler /app /app

ENV NODE_ENV=production \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1 \
    HOME=/tmp \
    COMFYUI_HOME=/opt/ComfyUI \
    COMFYUI_PYTHON=/opt/venv/bin/python \
    INPUT_DIR=/data/input \
    HOST=::
LABEL org.opencontainers.image.title="comfy-endpoint" \
      org.opencontainers.image.licenses="MIT AND GPL-3.0-only" \
      comfyui.version="${COMFYUI_VERSION}" \
      torch.version="${TORCH_VERSION}" \
      torch.cuda="${TORCH_CUDA}"

USER 10001:10001
WORKDIR /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=300s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The handler gets signals alone: it finishes its work, then ends ComfyUI.
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/handler.mjs"]
CMD ["serve"]
