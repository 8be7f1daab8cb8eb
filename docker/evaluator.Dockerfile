# The evaluator service. Build from the repository root, for CPU or for NVIDIA GPUs:
#   docker build -f docker/evaluator.Dockerfile --target cpu  -t espalier/evaluator:0.1.0 .
#   docker build -f docker/evaluator.Dockerfile --target cuda -t espalier/evaluator-cuda:0.1.0 .
# The packages bring LibTorch (and, for cuda, the CUDA libraries) with them; the fused kernels are compiled here.
FROM mcr.microsoft.com/dotnet/sdk:10.0.401-noble@sha256:e70cdb7f80b0348f5cb85f19a8f670fca061f033d57eed12fa003d58b0e06317 AS source
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
RUN dotnet tool install CycloneDX --version 6.3.1 --tool-path /tools
WORKDIR /src
COPY . .

FROM source AS build-cpu
RUN dotnet publish services/Evaluator/Evaluator.csproj -c Release -o /app \
    && /tools/dotnet-CycloneDX services/Evaluator/Evaluator.csproj --disable-package-restore --output-format Json --output /app --filename sbom.json

FROM source AS build-cuda
RUN dotnet publish services/Evaluator/Evaluator.csproj -c Release -p:Torch=TorchSharp-cuda-linux -o /app \
    && /tools/dotnet-CycloneDX services/Evaluator/Evaluator.csproj --disable-package-restore --output-format Json --output /app --filename sbom.json

FROM mcr.microsoft.com/dotnet/aspnet:10.0.12-noble@sha256:222759b391a1aaf241166672c8f99b2d4ada452e7b5319f3c6e8f265a37b5ad4 AS runtime
RUN apt-get update && apt-get install -y --no-install-recommends xz-utils && rm -rf /var/lib/apt/lists/*
WORKDIR /app
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "Espalier.Evaluator.dll"]

FROM runtime AS cuda
COPY --from=build-cuda /app .

FROM runtime AS cpu
COPY --from=build-cpu /app .
