# The upcycler service. Build from the repository root, for CPU or for NVIDIA GPUs:
#   docker build -f docker/upcycler.Dockerfile --target cpu  -t espalier/upcycler:cpu .
#   docker build -f docker/upcycler.Dockerfile --target cuda -t espalier/upcycler:cuda .
# The packages bring LibTorch (and, for cuda, the CUDA libraries) with them; the fused kernels are compiled here.
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS source
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .

FROM source AS build-cpu
RUN dotnet publish services/Upcycler/Upcycler.csproj -c Release -o /app

FROM source AS build-cuda
RUN dotnet publish services/Upcycler/Upcycler.csproj -c Release -p:Torch=TorchSharp-cuda-linux -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS runtime
RUN apt-get update && apt-get install -y --no-install-recommends xz-utils && rm -rf /var/lib/apt/lists/*
WORKDIR /app
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "Espalier.Upcycler.dll"]

FROM runtime AS cuda
COPY --from=build-cuda /app .

FROM runtime AS cpu
COPY --from=build-cpu /app .
