# ComfyUI and the endpoint in one image; docs/image.md has the commands, the models and the sizes.
#
#   docker build -t comfy-endpoint .                      NVIDIA's GPUs, CUDA 13.0
#   docker build --target cpu -t comfy-endpoint:cpu .     a laptop
#   docker build --build-arg COMFY_STAGE=emulator .       no PyTorch: the emulator in ComfyUI's place
#
# What changes rarely comes first, the handler last: a host that has an older image pulls what comes after the first change.

# CUDA's own libraries come with PyTorch's wheels, so the base has none. What it has: the demands on the driver. TORCH_CUDA must fit it.
ARG BASE_IMAGE=nvidia/cuda:13.0.3-base-ubuntu24.04
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
ARG COMFY_STAGE=comfyui

# 2.11.0 is the last version whose three wheels exist for each of cu130, cu128 and cu126.
ARG TORCH_CUDA=cu130
ARG TORCH_VERSION=2.11.0
ARG TORCHVISION_VERSION=0.26.0
ARG TORCHAUDIO_VERSION=2.11.0
# Holds one package index per CUDA line, and one for `cpu`. Empty: pip's own settings.
ARG TORCH_INDEX=https://download.pytorch.org/whl

ARG COMFYUI_REPOSITORY=https://github.com/comfyanonymous/ComfyUI.git
ARG COMFYUI_VERSION=0.33.0
# The commit of that version's tag. A hash is its own checksum; a tag can be moved.
ARG COMFYUI_COMMIT=2f35f4a08176d993cded35dac3332be4f7287f41
# `true` keeps ComfyUI's web interface, to look at a graph inside the image.
ARG FRONTEND=false
ARG REVISION=unknown

# The handler in its pieces, and sharp beside it, whose native parts are plain packages.
FROM ${NODE_IMAGE} AS handler
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY handler handler
COPY runtime runtime
COPY workflows workflows
COPY image/healthcheck.mjs image/healthcheck.mjs
RUN node handler/build.ts /app \
 && cp image/healthcheck.mjs /app/ \
 && mkdir /app/node_modules \
 && cp -r node_modules/sharp node_modules/@img node_modules/detect-libc node_modules/semver /app/node_modules/

# What every image has: programs, the user, the environment, how it starts and ends.
FROM ${BASE_IMAGE} AS system
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
 && apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates ffmpeg git libgl1 libglib2.0-0 libstdc++6 python3 python3-venv tini

# Code belongs to root; the worker writes to /data, /tmp and ComfyUI's `user`, which has to be there whatever is mounted.
RUN groupadd --gid 10001 worker \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin worker \
 && install -d -o worker -g worker /data /data/input
COPY --from=handler /usr/local/bin/node /usr/local/bin/node

# The constraints keep all that is installed later, custom nodes too, from changing PyTorch.
ARG TORCH_VERSION
ARG TORCHVISION_VERSION
ARG TORCHAUDIO_VERSION
RUN python3 -m venv /opt/venv \
 && printf 'torch==%s\ntorchvision==%s\ntorchaudio==%s\n' \
      "${TORCH_VERSION}" "${TORCHVISION_VERSION}" "${TORCHAUDIO_VERSION}" > /opt/constraints.txt

# pip compiles what it installs, and ComfyUI is compiled below: at run time nobody could write the result.
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=16 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_CONSTRAINT=/opt/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    COMFYUI_HOME=/opt/ComfyUI \
    COMFYUI_PYTHON=/opt/venv/bin/python \
    INPUT_DIR=/data/input \
    HOST=::
WORKDIR /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=300s --retries=3 CMD ["node", "/app/healthcheck.mjs"]
# The handler gets signals alone: it finishes its work, then ends ComfyUI.
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/handler.mjs"]
CMD ["serve"]

ARG BASE_IMAGE
LABEL org.opencontainers.image.title="comfy-endpoint" \
      org.opencontainers.image.licenses="MIT AND GPL-3.0-only" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"

# For trying clients, queues and deployments.
FROM system AS emulator
ENV ENGINE=emulator

# ComfyUI's files, without its web interface: 100 MB that no request needs. It does not start unless the packages can be imported, so empty ones take
# their place; the flag that would do the same is lost as soon as somebody sets COMFYUI_ARGS.
FROM system AS source
ARG COMFYUI_REPOSITORY
ARG COMFYUI_VERSION
ARG COMFYUI_COMMIT
ARG FRONTEND
WORKDIR /opt/ComfyUI
RUN git init -q . \
 && git fetch -q --depth 1 "${COMFYUI_REPOSITORY}" "${COMFYUI_COMMIT}" \
 && git checkout -q FETCH_HEAD \
 && rm -rf .git \
 && grep -qF "\"${COMFYUI_VERSION}\"" comfyui_version.py \
 && if [ "${FRONTEND}" = true ]; then cp requirements.txt /opt/requirements.txt; else \
      grep -vE '^comfyui-(frontend-package|workflow-templates|embedded-docs)\b' requirements.txt > /opt/requirements.txt \
      && mkdir -p comfyui_frontend_package/static comfyui_workflow_templates/templates \
      && touch comfyui_frontend_package/__init__.py comfyui_workflow_templates/__init__.py; \
    fi \
 && python3 -m compileall -q -j 0 --invalidation-mode checked-hash .
COPY image/extra_model_paths.yaml ./

FROM system AS nodes
COPY image/nodes.py nodes.lock.json /opt/image/
RUN python3 /opt/image/nodes.py fetch /opt/image/nodes.lock.json /opt/custom_nodes

# PyTorch in three layers of similar size, which hosts pull and unpack side by side.
FROM system AS comfyui
ARG TORCH_INDEX
ARG TORCH_CUDA
ARG TORCH_VERSION
ARG TORCHVISION_VERSION
ARG TORCHAUDIO_VERSION
COPY image/torch_layers.py /opt/image/
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/python /opt/image/torch_layers.py "${TORCH_CUDA}" /opt/torch ${TORCH_INDEX:+--index-url "${TORCH_INDEX}/${TORCH_CUDA}"} \
      "torch==${TORCH_VERSION}" "torchvision==${TORCHVISION_VERSION}" "torchaudio==${TORCHAUDIO_VERSION}"
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --no-deps ${TORCH_INDEX:+--index-url "${TORCH_INDEX}/${TORCH_CUDA}"} -r /opt/torch/1.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --no-deps ${TORCH_INDEX:+--index-url "${TORCH_INDEX}/${TORCH_CUDA}"} -r /opt/torch/2.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --no-deps ${TORCH_INDEX:+--index-url "${TORCH_INDEX}/${TORCH_CUDA}"} -r /opt/torch/3.txt
COPY --from=source /opt/requirements.txt /opt/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install -r /opt/requirements.txt
COPY --from=source /opt/ComfyUI /opt/ComfyUI
COPY --from=nodes /opt/custom_nodes /opt/ComfyUI/custom_nodes
COPY --from=nodes /opt/image /opt/image
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/python /opt/image/nodes.py install /opt/ComfyUI \
 && install -d -o worker -g worker /opt/ComfyUI/user && rm -rf /tmp/*
ARG COMFYUI_VERSION
ARG COMFYUI_COMMIT
LABEL comfyui.version="${COMFYUI_VERSION}" comfyui.commit="${COMFYUI_COMMIT}" torch.version="${TORCH_VERSION}" torch.cuda="${TORCH_CUDA}"

# The same for a machine without GPU; a test holds the two alike.
FROM system AS comfyui-cpu
ARG TORCH_INDEX
ARG TORCH_VERSION
ARG TORCHVISION_VERSION
ARG TORCHAUDIO_VERSION
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install ${TORCH_INDEX:+--index-url "${TORCH_INDEX}/cpu"} \
      "torch==${TORCH_VERSION}" "torchvision==${TORCHVISION_VERSION}" "torchaudio==${TORCHAUDIO_VERSION}"
COPY --from=source /opt/requirements.txt /opt/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install -r /opt/requirements.txt
COPY --from=source /opt/ComfyUI /opt/ComfyUI
COPY --from=nodes /opt/custom_nodes /opt/ComfyUI/custom_nodes
COPY --from=nodes /opt/image /opt/image
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/python /opt/image/nodes.py install /opt/ComfyUI \
 && install -d -o worker -g worker /opt/ComfyUI/user && rm -rf /tmp/*
ARG COMFYUI_VERSION
ARG COMFYUI_COMMIT
LABEL comfyui.version="${COMFYUI_VERSION}" comfyui.commit="${COMFYUI_COMMIT}" torch.version="${TORCH_VERSION}" torch.cuda="none"
ENV COMFYUI_ARGS="--cpu --use-pytorch-cross-attention"

FROM comfyui-cpu AS cpu
ARG REVISION
LABEL org.opencontainers.image.revision="${REVISION}"
ENV HOME=/tmp
COPY --from=handler /app /app
USER 10001:10001

FROM ${COMFY_STAGE} AS runtime
ARG REVISION
LABEL org.opencontainers.image.revision="${REVISION}"
ENV HOME=/tmp
COPY --from=handler /app /app
USER 10001:10001
